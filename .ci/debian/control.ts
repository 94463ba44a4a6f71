import { readFileSync } from 'node:fs';
import path from 'node:path';

/** Who made which version for which machines, and when. */
export interface Edition {
  readonly version: string;
  /** Architecture as Debian names it. */
  readonly arch: string;
  readonly committedAt: Date;
}

const maintainer = 'The prosody-filer contributors <prosody-filer@example.org>';

/** In Debian's order of versions, "~" comes before the end: 1.0.0~rc.1 is earlier than 1.0.0. */
export function debianVersion(version: string): string {
  return version.replace('-', '~');
}

/** The file `control`. Node.js decides on the versions of the libraries, the unit on that of systemd. */
export function control({ version, arch }: Edition, installedKibibytes: number): string {
  return `Package: prosody-filer
Version: ${debianVersion(version)}
Architecture: ${arch}
Maintainer: ${maintainer}
Installed-Size: ${installedKibibytes}
Depends: libc6 (>= 2.28), libgcc-s1, libstdc++6 (>= 8), systemd (>= 247)
Suggests: nginx, prosody | ejabberd
Section: net
Priority: optional
Description: HTTP upload server for XMPP (XEP-0363)
 The XMPP server hands out upload slots. prosody-filer receives the files that
 clients upload there, stores them on disk or in an S3-compatible store, and
 serves them to the recipients. It works with Prosody, ejabberd and Metronome,
 and as a component of any other XMPP server.
 .
 The package contains Node.js.
`;
}

/** Debian's changelog. It names this version only: CHANGELOG.md has the changes. */
export function changelog({ version, committedAt }: Edition): string {
  const date = committedAt.toUTCString().replace('GMT', '+0000');
  return `prosody-filer (${debianVersion(version)}) stable; urgency=medium

  * /usr/share/doc/prosody-filer/CHANGELOG.md.gz has the changes.

 -- ${maintainer}  ${date}
`;
}

/** The licences of the program, of Node.js, and of the packages in the build. */
export function copyright(release: string): string {
  const parts: Readonly<Record<string, string>> = {
    'prosody-filer': 'LICENSE',
    'Node.js, in /usr/lib/prosody-filer/lib': 'lib/node-LICENSE',
    'npm packages, in /usr/lib/prosody-filer/dist': 'dist/LICENSES.txt',
  };
  const sections = Object.entries(parts).map(
    ([title, file]) =>
      `${title}\n${'='.repeat(title.length)}\n\n${readFileSync(path.join(release, file), 'utf8').trim()}\n`,
  );
  return sections.join('\n\n');
}
