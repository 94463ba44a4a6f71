import { isRefusalSentence } from '../../refusal-sentence.js';
import type { CauseAndChange, Problem } from '../finding.js';
import { type Answer, headerOf } from '../remote/send-request.js';
import { storeAdvice } from './explain-store.js';

const nobodyBehind: CauseAndChange = [
  'prosody-filer does not run, or proxy_pass and listenPort name different addresses.',
  'Start prosody-filer, and compare proxy_pass with listenPort. nginx writes the reason to its error log.',
];
const slowBehind: CauseAndChange = [
  'prosody-filer did not answer the proxy in time.',
  'Look at the log of prosody-filer. Raise proxy_read_timeout and proxy_send_timeout in the location.',
];
const redirected: CauseAndChange = [
  'The proxy redirects to https or to another host. Clients do not follow the redirect of a PUT.',
  'Use the URL that it redirects to, here and as the base URL in the XMPP server.',
];

/** What a status usually means that a proxy sends itself. */
const proxyAdvice: Readonly<Record<number, CauseAndChange>> = {
  400: [
    'The proxy rejects the request: plain http on its https port, or a header that is too large.',
    'Compare the scheme and port of the URL with listen. Raise large_client_header_buffers.',
  ],
  401: [
    'The proxy asks for a password.',
    'Set auth_basic off; in the location. prosody-filer checks the token of each upload itself.',
  ],
  403: ['The proxy itself refuses the request.', 'Look for deny, limit_except or a firewall module in this location.'],
  404: [
    'No location of the proxy leads to prosody-filer, or another server block answers.',
    "Compare the location's path with the URL's path, and server_name with the URL's host.",
  ],
  405: [
    'The proxy serves the location from its own files and does not pass requests on.',
    'Set proxy_pass in the location of the URL, and remove root, alias and try_files from it.',
  ],
  408: ['The proxy stopped waiting for the body of the request.', 'Raise client_body_timeout.'],
  411: [
    'Another proxy in front sends the body in chunks, and this proxy requires Content-Length.',
    'Make the proxy in front pass on Content-Length.',
  ],
  413: [
    "The upload exceeds the proxy's body limit (client_max_body_size, 1m by default). Web clients see only a failed upload.",
    "Set client_max_body_size 0; in nginx's location. prosody-filer checks the size itself.",
  ],
  414: [
    'The proxy limits the length of URLs.',
    'Raise large_client_header_buffers: names can take 800 bytes of a URL.',
  ],
  500: [
    'The proxy failed, often because it cannot write its temporary files.',
    "Look at the proxy's error log. Set proxy_request_buffering off; in the location.",
  ],
  502: nobodyBehind,
  503: [
    'nginx limits requests (limit_req, limit_conn). With other proxies: prosody-filer does not run.',
    'Raise or remove limit_req and limit_conn. If the proxy is not nginx, start prosody-filer.',
  ],
  504: slowBehind,
};

/** What a status of prosody-filer means that the doctor should not get; `explainRefusedPut` looks closer at a 403. */
const filerAdvice: Readonly<Record<number, CauseAndChange>> = {
  302: [
    'The running server has another s3.download than this configuration.',
    "run the doctor with the server's own configuration; restart prosody-filer",
  ],
  400: [
    'The proxy decodes the path before it passes it on.',
    'Set proxy_pass http://127.0.0.1:5050; with nothing after the port: no path, no $uri, no $1.',
  ],
  401: [
    "The proxy replaces the client's Authorization header with its own.",
    'Remove proxy_set_header Authorization from the location.',
  ],
  403: [
    'The running server has another secret than this configuration, or was not restarted after the change.',
    "run the doctor with the server's own configuration; restart prosody-filer",
  ],
  404: [
    'The proxy cuts the prefix off the path or replaces it.',
    'Set proxy_pass http://127.0.0.1:5050; with no slash or path after the port. Set uploadSubDir to the path of the URL.',
  ],
  405: ['The proxy changes the method.', 'Remove proxy_method from the location.'],
  409: ['The proxy sends a request twice.', 'Set proxy_next_upstream off; in the location.'],
  411: [
    'A proxy sends the body in chunks, without Content-Length.',
    'Remove modules that change request bodies, and make each proxy in front of nginx pass on Content-Length.',
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
};

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
  if (isFromFiler(answer)) return filerAdvice;
  return answer.status >= 300 && answer.status < 400 ? { [answer.status]: redirected } : proxyAdvice;
}

/** Explains why a request got this status instead of the expected one. */
export function explainStatus(answer: Answer): Problem {
  const { status } = answer;
  const [cause, change] = adviceOn(answer)[status] ?? unknownAdvice;
  return { found: `${describeAnswer(answer)}.`, cause, change };
}
