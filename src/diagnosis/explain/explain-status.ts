import { STATUS_CODES } from 'node:http';
import { type Answer, headerOf } from '../remote/send-request.js';
import type { CauseAndChange, Problem } from '../remote/verdict.js';
import { storeAdvice } from './explain-store.js';

const nobodyBehind: CauseAndChange = [
  'prosody-filer does not run, or proxy_pass names another address than listenPort',
  'start prosody-filer, compare proxy_pass with listenPort; nginx writes the reason into its error log',
];
const slowBehind: CauseAndChange = [
  'prosody-filer did not answer the proxy in time',
  'look at the log of prosody-filer; raise proxy_read_timeout and proxy_send_timeout',
];
const redirected: CauseAndChange = [
  'the proxy sends clients elsewhere, from http to https or to another host; no client follows on a PUT',
  'use the URL that it leads to, here and as the base URL in the XMPP server',
];

/** What proxies mean by a status of their own. */
const proxyAdvice: Readonly<Record<number, CauseAndChange>> = {
  400: [
    'the proxy refuses the request: http on its https port, or a header too large',
    'compare scheme and port of the URL with listen; large_client_header_buffers',
  ],
  401: ['the proxy asks for a password', 'auth_basic off; in the location: the token is the password'],
  403: ['the proxy refuses by itself', 'look for deny, limit_except or a firewall module for this location'],
  404: [
    'no location of the proxy leads to prosody-filer, or another server block answers',
    "compare the location's path with the URL's, and server_name with its host",
  ],
  405: [
    'the proxy serves the location from its own files and passes nothing on',
    'proxy_pass in the location of the URL, without limit_except',
  ],
  408: ['the proxy did not wait for the body', 'raise client_body_timeout'],
  411: ['the proxy refuses a body without Content-Length', 'switch off what makes a proxy in front send chunks'],
  413: [
    "the proxy's body limit (client_max_body_size, 1m if it is not set); web clients see no reason, only a broken upload",
    "client_max_body_size 0; in nginx's location: prosody-filer checks the size itself",
  ],
  500: ['the proxy failed, often at its temporary files', 'look at its error log; proxy_request_buffering off;'],
  502: nobodyBehind,
  503: nobodyBehind,
  504: slowBehind,
};

/** What prosody-filer means by a status that no request of the doctor's should get; 403 needs a closer look. */
const filerAdvice: Readonly<Record<number, CauseAndChange>> = {
  302: [
    'the running server has another s3.download than this configuration',
    "run the doctor with the server's own configuration; restart prosody-filer",
  ],
  400: [
    'the proxy decodes the path before it passes it on',
    'proxy_pass http://127.0.0.1:5050; without a path, $uri or a captured $1 behind it',
  ],
  401: [
    "the proxy puts an Authorization header of its own in place of the client's",
    'remove proxy_set_header Authorization',
  ],
  403: [
    'another secret than the one of this configuration, or a server that was not restarted since it changed',
    "run the doctor with the server's own configuration; restart prosody-filer",
  ],
  404: [
    'the proxy cuts the prefix off the path or puts another one there',
    'proxy_pass http://127.0.0.1:5050; without a slash or path behind it, and uploadSubDir as in the URL',
  ],
  405: ['the proxy changes the method', 'remove proxy_method'],
  409: ['the proxy sends a request twice', 'proxy_next_upstream off;'],
  411: ['the proxy sends the body in chunks', 'proxy_request_buffering off; and no module that changes bodies'],
  413: [
    'maxFileSize of the running server is smaller, or a quota is reached',
    'raise maxFileSize, userQuota or dailyQuota, or restart with this configuration',
  ],
  500: ['the disk failed', 'look at the log of prosody-filer: it names the call'],
  502: [
    'the S3 service refuses what prosody-filer asks of it: key, rights, bucket or clock',
    'prosody-filer check-config; the log of prosody-filer has what the service said',
  ],
  503: [
    'maxUploads is reached, too many files are open, or the S3 service is out of reach',
    'raise maxUploads or LimitNOFILE; the log of prosody-filer names the service',
  ],
  507: ['disk or bucket is full, or minFreeSpace or maxStoreSize is reached', 'make room, or raise the limit'],
};

const unknownAdvice: CauseAndChange = [
  'not known',
  "look at the log of prosody-filer: if it has no line of this request, the proxy's log has",
];

/** Whether prosody-filer wrote the answer, and no proxy in front of it. */
export function isFromFiler(answer: Answer): boolean {
  const { status, body } = answer;
  // A proxy may drop either, or add a policy of its own.
  const isPlain = body.toString() === `${status} ${STATUS_CODES[status]}\n`;
  return isPlain || headerOf(answer, 'content-security-policy').includes("media-src 'self'");
}

/** The status and who sent it. */
export function describeAnswer(answer: Answer): string {
  const { status, redirectedTo } = answer;
  if (redirectedTo !== undefined) return `${status} by the store (${redirectedTo.host})`;
  if (isFromFiler(answer)) return `${status} by prosody-filer`;
  const { location, server } = answer.headers;
  // Without the query, which may hold a token.
  const to = location === undefined ? '' : ` to ${location.join(', ').replace(/\?.*/, '')}`;
  return `${status}${to} by the proxy${server ? ` (${server})` : ''}`;
}

function adviceOn(answer: Answer): Readonly<Record<number, CauseAndChange>> {
  if (answer.redirectedTo !== undefined) return storeAdvice;
  if (isFromFiler(answer)) return filerAdvice;
  return answer.status >= 300 && answer.status < 400 ? { [answer.status]: redirected } : proxyAdvice;
}

/** Why a request was answered with this status in place of the expected one. */
export function explainStatus(answer: Answer): Problem {
  const { status } = answer;
  const [cause, change] = adviceOn(answer)[status] ?? unknownAdvice;
  return { found: describeAnswer(answer), cause, change };
}
