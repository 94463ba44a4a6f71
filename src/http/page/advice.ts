/*
 * Why requests are refused, and what an operator does about it: the sentences of the README's tables "Limits of a connection"
 * and "Troubleshooting by status code", for the page. A test compares the two. Text in backticks stands for itself.
 */
import type { CutReason } from '../exchange.js';

/** A cause, and what to do about it. */
export interface Advice {
  readonly why: string;
  readonly whatToDo: string;
}

/** By the status of the answer, where the README has a row for it. */
export const adviceByStatus: Readonly<Record<number, Advice>> = {
  400: {
    why: 'The path is invalid for an upload (`..`, `//`, ASCII control characters, broken percent-encoding).',
    whatToDo:
      'The log says what is wrong with it. For `//`, look for a slash too many in the base URL on the XMPP server or in the proxy.',
  },
  401: { why: '`Authorization` is not a Bearer token.', whatToDo: 'Does a proxy ask for a password here?' },
  403: {
    why: "There is no token, or it is wrong. The log's `reason` names a doubled prefix, another secret, expired…",
    whatToDo: 'Compare secret and base URL; for "expired", compare the clocks.',
  },
  404: {
    why: 'There is no such file, or the path is outside `uploadSubDir`.',
    whatToDo: 'The base URL must end with a slash, and the proxy must not cut or add a prefix.',
  },
  405: {
    why: 'The method is not OPTIONS, HEAD, GET or PUT (DELETE needs `deleteSecret`).',
    whatToDo: 'The header `Allow` lists the methods.',
  },
  408: {
    why: 'The upload took longer than its size allows, or the head of a request longer than a minute.',
    whatToDo: 'Look for a slow or broken connection.',
  },
  409: {
    why: 'The file exists or was deleted, and a slot is good for one upload. Or an upload of the same slot is running.',
    whatToDo: 'A client that tries again must first end its first attempt.',
  },
  410: {
    why: 'The file has expired or was deleted.',
    whatToDo: 'Look at `expiresAfter`, `[[retention]]`, and the lines `deleted` in the log.',
  },
  411: {
    why: 'The PUT is chunked: it has no `Content-Length`. Only an empty file may come so.',
    whatToDo: 'Switch off what makes the proxy send chunks.',
  },
  413: {
    why: "The upload is larger than `maxFileSize`, or not of the slot's size, or `userQuota` or `dailyQuota` leave no room for it.",
    whatToDo: "The log's `reason` says which. If you get an nginx error page, set nginx's `client_max_body_size`.",
  },
  414: {
    why: "The file's name has over 255 bytes (128 Cyrillic letters, 86 Chinese characters), more than a filesystem takes.",
    whatToDo: 'The user shortens the name. `[component]` shortens it by itself.',
  },
  500: { why: 'The disk failed.', whatToDo: 'The log names the call.' },
  502: {
    why: 'The S3 service refuses a request: key, rights, bucket or clock.',
    whatToDo: "The log has the service's words, and `check-config` says what is wrong.",
  },
  503: {
    why: "Too many open files. `maxUploads` or one sender's share of it is reached. The store is still being counted after a start. The S3 service is out of reach or busy, or an object was replaced while its download began.",
    whatToDo:
      "The log's `reason` says which. Raise the limit (`LimitNOFILE`, `maxUploads`), set `trustProxy`, or look at the service.",
  },
  507: {
    why: 'The disk or bucket is full, or `maxStoreSize` or `minFreeSpace` is reached. With `whenFull = "evict"`, also: too little may go or can be deleted.',
    whatToDo: 'Make room. Look for `could not be deleted` in the log.',
  },
};

/** For slot requests that `[component]` refuses. */
export const slotAdvice: Advice = {
  why: 'The JID has no access or asks too often, its quota is used up, the store is full, or the file is too large or of another type.',
  whatToDo:
    "The log's `reason` says which. Look at `access`, `maxFileSize` and `allowedTypes` in `[component]`, and at the quotas.",
};

/** For failures that no code names. They are answered with 500. */
export const unexpectedAdvice: Advice = {
  why: 'A mistake in prosody-filer.',
  whatToDo: 'Look for `unexpected error` in the log, and report it.',
};

/** By the reason, for what the server breaks off: the limit that was exceeded. */
export const brokenLimits: Readonly<Record<CutReason | 'PIPELINE_LIMITED', string>> = {
  PIPELINE_LIMITED:
    'A client may send 4 KiB of requests ahead of an answer. If it sends more, prosody-filer closes the connection after that answer. No browser and no proxy does this.',
  UPLOAD_STALLED: 'The client of an upload must send at least one byte within `stallTimeout`.',
  DOWNLOAD_STALLED:
    'The client of a download must receive some bytes within 30 times `stallTimeout`, 30 minutes by default. That is enough for 4 KB/s.',
  DOWNLOADS_LIMITED:
    'The downloads in each process hold up to 64 MiB that their clients have not received yet. That is enough for 2,000 clients that receive nothing, or for 1,000 with `[s3]`. Beyond that, prosody-filer ends the download that has waited longest.',
  SHUTDOWN: 'The server stops, and the transfer did not end within `shutdownTimeout`.',
};
