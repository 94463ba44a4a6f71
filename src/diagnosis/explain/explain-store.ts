import type { Answer } from '../remote/send-request.js';
import type { Advice, CauseAndChange } from '../remote/verdict.js';

const changedByCdn: Advice = {
  cause: 'what stands in front of the bucket (a CDN, a proxy) drops or changes headers or bytes',
  change: 'have it pass on Range, Origin and the query as they come, and headers and bytes as the bucket sends them',
};

/** Why bytes or headers of a download are not as they should be; `ofProxy` where they did not come from the store. */
export function adviceOnDownload({ redirectedTo }: Answer, ofProxy: Advice): Advice {
  return redirectedTo === undefined ? ofProxy : changedByCdn;
}

const elsewhere: CauseAndChange = [
  'the bucket is in another region, or lies behind another host',
  's3.region and s3.endpointUrl of the bucket',
];

/** What stores mean by a status with which a download begins. */
export const storeAdvice: Readonly<Record<number, CauseAndChange>> = {
  301: elsewhere,
  400: ['the URL was changed on its way, or what answers is no S3', 'compare s3.endpointUrl and s3.baseDomain'],
  403: [
    'the query of the signed URL is dropped or changed on its way, or the bucket that s3.baseDomain leads to is not public',
    'have what stands in front of the bucket pass on path and query; prosody-filer check-config looks at the rights',
  ],
  404: [
    's3.baseDomain leads to another bucket or to a folder of it',
    'have it lead to the bucket without s3.path, which stands in each URL',
  ],
};

const changedOnItsWay: CauseAndChange = [
  'the key may not write, or what stands in front of the bucket changes path, query, Host, Content-Type or Content-Length',
  'have it pass them on as they come; prosody-filer check-config looks at key, bucket and clock',
];

const bodyLimit: CauseAndChange = [
  'what stands in front of the bucket limits bodies (client_max_body_size, 1m if it is not set)',
  'no limit there: the signed URL holds each upload to its size',
];

/** What stores mean by a status with which they refuse an upload by a signed URL. */
export const storeUploadAdvice: Readonly<Record<number, CauseAndChange>> = {
  301: elsewhere,
  403: changedOnItsWay,
  404: [
    's3.endpointUrl leads elsewhere for clients than for prosody-filer',
    "compare the name's addresses here and outside",
  ],
  413: bodyLimit,
};
