import { createHash } from 'node:crypto';

/** The style sheet of the page. */
export const style = `
:root {
  color-scheme: light dark;
  --page: #f5f6f8; --card: #fff; --text: #1b1f24; --muted: #57606a; --line: #d8dee4;
  --good: #1a7f37; --bad: #b3261e; --used: #2563eb; --free: #0f8a6d; --up: #7c3aed; --down: #b45309;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #0f1216; --card: #181c21; --text: #e6e9ed; --muted: #98a2ad; --line: #2d343c;
    --good: #4ac26b; --bad: #ff8a80; --used: #6ea8fe; --free: #3ccfa8; --up: #b794f6; --down: #f0a35e;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0 auto; padding: 1rem; max-width: 60rem; background: var(--page); color: var(--text);
  font: 1rem/1.45 system-ui, sans-serif; overflow-wrap: anywhere;
}
h1 { margin: 0; font-size: 1.4rem; }
h2 { margin: 0 0 .6rem; font-size: 1.1rem; }
h3 { margin: 0; font-size: 1rem; }
p { margin: .3rem 0; }
.muted, figcaption span, th, footer { color: var(--muted); font-weight: normal; font-size: .875rem; }
section { margin: 1rem 0; padding: .9rem 1rem; background: var(--card); border: 1px solid var(--line); border-radius: .6rem; }
.bad { border-color: var(--bad); }
ul { margin: 0; padding: 0; list-style: none; }
li { display: grid; grid-template-columns: 1.6rem 1fr; margin: .45rem 0; }
li p { margin: 0; }
.mark { color: var(--good); font-weight: bold; }
.fault .mark, .fault b { color: var(--bad); }
.grid { display: grid; gap: 1rem 1.5rem; grid-template-columns: repeat(auto-fit, minmax(min(100%, 18rem), 1fr)); }
figure { margin: 0; }
figcaption { display: flex; flex-wrap: wrap; justify-content: space-between; gap: 0 1rem; margin-bottom: .25rem; }
.plot { display: block; width: 100%; height: 4.5rem; border-bottom: 1px solid var(--muted); }
.plot path { fill: currentColor; }
.bar { display: block; width: 100%; height: .5rem; margin: .35rem 0; border-radius: .25rem; background: var(--line); }
.bar rect { fill: currentColor; }
.used { color: var(--used); } .free { color: var(--free); } .up { color: var(--up); } .down { color: var(--down); }
.full { color: var(--bad); }
.axis { display: flex; justify-content: space-between; color: var(--muted); font-size: .75rem; }
table { width: 100%; border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .3rem 0 .3rem .5rem; text-align: right; vertical-align: top; border-top: 1px solid var(--line); }
th:first-child, td:first-child { padding-left: 0; text-align: left; }
th { white-space: nowrap; }
thead th { border-top: 0; }
table + .grid { margin-top: 1rem; }
td small { display: block; color: var(--muted); white-space: nowrap; }
article { margin-top: .4rem; padding: .7rem 0 0; border-top: 1px solid var(--line); }
article:first-of-type { margin-top: 0; padding-top: 0; border-top: 0; }
code { font: .875em/1.4 ui-monospace, monospace; }
a { color: inherit; }
`;

/** The hash by which a Content-Security-Policy allows this style sheet. */
export const styleHash = `sha256-${createHash('sha256').update(style).digest('base64')}`;
