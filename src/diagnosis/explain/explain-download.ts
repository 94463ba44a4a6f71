import { type Answer, headerOf } from '../remote/send-request.js';
import type { Problem } from '../remote/verdict.js';
import type { Sample } from '../remote/visit.js';
import { explainStatus } from './explain-status.js';
import { adviceOnDownload } from './explain-store.js';

function explainDifference({ body, contentType }: Sample, answer: Answer): Problem | undefined {
  const type = headerOf(answer, 'content-type');
  if (type !== contentType) {
    return {
      found: `the Content-Type ${contentType} came back as ${type === '' ? 'none' : type}`,
      cause:
        'the proxy changes it (charset, add_header or proxy_set_header Content-Type), or sends files by itself and goes by their names',
      change: 'remove that from the location (charset off;); no try_files where mod_http_file_share is used',
    };
  }
  if (!answer.body.equals(body)) {
    return {
      found: `${body.length} bytes came back as ${answer.body.length} other ones`,
      cause: 'the proxy changes or truncates bodies: sub_filter, gunzip, a full disk below proxy_temp_path',
      change: "proxy_max_temp_file_size 0; and no filters in the location; look at the proxy's error log",
    };
  }
  const length = headerOf(answer, 'content-length');
  if (length !== String(body.length)) {
    return {
      found: `Content-Length is ${length === '' ? 'missing' : length} on a file of ${body.length} bytes`,
      cause: 'the proxy sends chunks because it changes the body: gzip, sub_filter',
      change: 'gzip off; and no filters in the location',
    };
  }
  return undefined;
}

/** What is wrong with the answer to a GET of a sample, `undefined` where it is what was uploaded. */
export function explainDownload(sample: Sample, answer: Answer): Problem | undefined {
  if (answer.status !== 200) {
    const { found, ...advice } = explainStatus(answer);
    return { found: `the upload was accepted, but its GET is ${found}`, ...advice };
  }
  const problem = explainDifference(sample, answer);
  return problem && { ...problem, ...adviceOnDownload(answer, problem) };
}
