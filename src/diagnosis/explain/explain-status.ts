import { isRefusalSentence } from '../../refusal-sentence.js';
import type { CauseAndChange, Problem } from '../finding.js';
import { type Answer, headerOf } from '../remote/send-request.js';
import { storeAdvice } from './explain-store.js';
import { type Directives, directivesOf } from './proxies.js';

const redirected: CauseAndChange = [
  'The proxy redirects to https or to another host. Clients do not follow the redirect of a PUT.',
  'Use the URL that it redirects to, here and as the base URL in the XMPP server.',
];

/** What a status usually means that a proxy sends itself. */
const proxyAdvice = (proxy: Directives): Readonly<Record<number, CauseAndChange>> => ({
  400: [
    'The proxy rejects the request: plain http on its https port, or a header that is too large.',
    'Compare the scheme and port of the URL with listen. Raise large_client_header_buffers.',
  ],
  401: ['The proxy asks for a password.', `${proxy.noPassword} prosody-filer checks the token of each upload itself.`],
  403: ['The proxy itself refuses the request.', `Look for ${proxy.refusing} or a firewall module for this path.`],
  404: ['No location of the proxy leads to prosody-filer, or another virtual host answers.', proxy.route],
  405: [
    'The proxy serves the location from its own files and does not pass requests on.',
    `Set ${proxy.address} for the path of the URL, and have the proxy serve no files there.`,
  ],
  408: ['The proxy stopped waiting for the body of the request.', proxy.waitForClient],
  411: [
    'Another proxy in front sends the body in chunks, and this proxy requires Content-Length.',
    'Make the proxy in front pass on Content-Length.',
  ],
  413: [
    "The upload exceeds the proxy's body limit. Web clients see only a failed upload.",
    `${proxy.noBodyLimit} prosody-filer checks the size itself.`,
  ],
  414: [
    'The proxy limits the length of URLs.',
    'Raise large_client_header_buffers: names can take 800 bytes of a URL.',
  ],
  500: [
    'The proxy failed, often because it cannot write its temporary files.',
    `Look at the proxy's error log. ${proxy.noBuffering}`,
  ],
  502: [
    `prosody-filer does not run, or ${proxy.address} and listenPort name different addresses.`,
    `Start prosody-filer, and compare ${proxy.address} with listenPort. The proxy writes the reason to its error log.`,
  ],
  503: [
    `prosody-filer does not run, or ${proxy.address} and listenPort differ, or the proxy limits requests (nginx: limit_req).`,
    `Start prosody-filer, and compare ${proxy.address} with listenPort. Raise or remove limits of requests.`,
  ],
  504: ['prosody-filer did not answer the proxy in time.', `Look at the log of prosody-filer. ${proxy.waitForFiler}`],
});

/** What a status of prosody-filer means that the doctor should not get; `explainRefusedPut` looks closer at a 403. */
const filerAdvice = (proxy: Directives): Readonly<Record<number, CauseAndChange>> => ({
  302: [
    'The running server has another s3.download than this configuration.',
    "run the doctor with the server's own configuration; restart prosody-filer",
  ],
  400: ['The proxy decodes the path before it passes it on.', proxy.passUnchanged],
  401: [
    "The proxy replaces the client's Authorization header with its own.",
    `Remove what sets Authorization (${proxy.settingRequestHeaders}).`,
  ],
  403: [
    'The running server has another secret than this configuration, or was not restarted after the change.',
    "run the doctor with the server's own configuration; restart prosody-filer",
  ],
  404: [
    'The proxy cuts the prefix off the path or replaces it.',
    `${proxy.passUnchanged} Set uploadSubDir to the path of the URL.`,
  ],
  405: ['The proxy changes the method.', 'Make the proxy pass on the method (nginx: no proxy_method).'],
  409: ['The proxy sends a request twice.', 'Switch off its retries (nginx: proxy_next_upstream off;).'],
  411: [
    'A proxy sends the body in chunks, without Content-Length.',
    'Remove modules that change request bodies, and make each proxy in front of it pass on Content-Length.',
  ],
  413: [
    'The running server has a smaller maxFileSize than this configuration, or a quota is reached.',
    'Restart prosody-filer with this configuration, or raise maxFileSize, userQuota or dailyQuota.',
  ],
  414: [
    'The filesystem of storeDir does not take a name of 254 bytes. An encrypted one may take only 143 (eCryptfs).',
    'Move storeDir to another filesystem, or tell users to give files shorter names.',
  ],
  500: ['A disk operation failed.', 'Look at the log of prosody-filer: it names the operation and the error.'],
  502: [
    'The S3 service refuses the requests of prosody-filer: the key, its rights, the bucket or the clock is wrong.',
    'Run prosody-filer check-config. The log of prosody-filer has the answer of the service.',
  ],
  503: [
    'maxUploads is reached, too many files are open, or the S3 service does not answer.',
    'Look at the log of prosody-filer: it names the limit or the service. Raise maxUploads or LimitNOFILE.',
  ],
  507: [
    'The disk or bucket is full, or minFreeSpace or maxStoreSize is reached.',
    'Free space on the disk, lower minFreeSpace or raise maxStoreSize.',
  ],
});

const unknownAdvice: CauseAndChange = [
  'The doctor knows no usual cause of this status.',
  "Look at the log of prosody-filer. If this request is not in it, look at the proxy's logs.",
];

/** True if the body is that of an error of prosody-filer. */
export function isErrorOfFiler({ body }: Answer): boolean {
  return isRefusalSentence(body.toString().trimEnd());
}

/** True if prosody-filer wrote the answer, not a proxy in front of it. */
export function isFromFiler(answer: Answer): boolean {
  // A proxy may replace the body, drop the policy or add its own, so either mark is enough.
  return isErrorOfFiler(answer) || headerOf(answer, 'content-security-policy').includes("media-src 'self'");
}

/** Names the status and who sent it, without the query of a redirect, which may hold a token. */
export function describeAnswer(answer: Answer): string {
  const { status, redirectedTo } = answer;
  if (redirectedTo !== undefined) return `${status} from the store (${redirectedTo.host})`;
  if (isFromFiler(answer)) return `${status} from prosody-filer`;
  const { location, server } = answer.headers;
  const to = location === undefined ? '' : ` to ${location.join(', ').replace(/\?.*/, '')}`;
  return `${status}${to} from the proxy${server ? ` (${server})` : ''}`;
}

function adviceOn(answer: Answer): Readonly<Record<number, CauseAndChange>> {
  if (answer.redirectedTo !== undefined) return storeAdvice;
  const proxy = directivesOf(answer.proxy);
  if (isFromFiler(answer)) return filerAdvice(proxy);
  return answer.status >= 300 && answer.status < 400 ? { [answer.status]: redirected } : proxyAdvice(proxy);
}

/** Explains why a request got this status instead of the expected one. */
export function explainStatus(answer: Answer): Problem {
  const { status } = answer;
  const [cause, change] = adviceOn(answer)[status] ?? unknownAdvice;
  return { found: `${describeAnswer(answer)}.`, cause, change };
}
