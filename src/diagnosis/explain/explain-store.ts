import type { Advice, CauseAndChange } from '../finding.js';
import type { Answer } from '../remote/send-request.js';

const changedByCdn: Advice = {
  cause: 'A CDN or proxy in front of the bucket drops or changes headers or bytes.',
  change:
    'Make it pass on Range, Origin and the query unchanged, and return headers and bytes as the bucket sends them.',
};

/** Explains wrong bytes or headers of a download; `ofProxy` is the advice if they did not come from the store. */
export function adviceOnDownload({ redirectedTo }: Answer, ofProxy: Advice): Advice {
  return redirectedTo === undefined ? ofProxy : changedByCdn;
}

const elsewhere: CauseAndChange = [
  'The bucket is in another region or has another endpoint.',
  'Set s3.region and s3.endpointUrl to those of the bucket.',
];

/** What a status of the store usually means as the answer to a download. */
export const storeAdvice: Readonly<Record<number, CauseAndChange>> = {
  301: elsewhere,
  400: [
    's3.region is wrong, a proxy changed the URL, or the server that answers is not the S3 service.',
    'Check s3.region. Compare s3.endpointUrl and s3.baseDomain with the address of the bucket.',
  ],
  403: [
    'A CDN or proxy drops or changes the query of the signed URL, or the bucket behind s3.baseDomain is not public.',
    'Make the CDN or proxy pass on path and query unchanged. Run prosody-filer check-config to check the rights.',
  ],
  404: [
    's3.baseDomain leads to another bucket, or to a folder in the bucket.',
    'Make s3.baseDomain lead to the root of the bucket: each URL already contains s3.path.',
  ],
};

const changedOnItsWay: CauseAndChange = [
  'The key may not write, or a proxy in front of the bucket changes path, query, Host, Content-Type or Content-Length.',
  'Make the proxy pass them on unchanged. Run prosody-filer check-config to check key, bucket and clock.',
];

const bodyLimit: CauseAndChange = [
  'A proxy in front of the bucket limits the body size (client_max_body_size, 1m by default).',
  'Set client_max_body_size 0; in that proxy. Each signed URL fixes the size of its upload.',
];

/** What a status of the store usually means as the answer to an upload by a signed URL. */
export const storeUploadAdvice: Readonly<Record<number, CauseAndChange>> = {
  301: elsewhere,
  403: changedOnItsWay,
  404: [
    's3.endpointUrl leads clients to another server than prosody-filer.',
    'Compare the addresses of that name here and outside your network.',
  ],
  413: bodyLimit,
};
