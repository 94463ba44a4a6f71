import type { Problem } from '../finding.js';
import { type Answer, headerOf } from '../remote/send-request.js';
import type { Sample } from '../remote/visit.js';
import { explainStatus } from './explain-status.js';
import { adviceOnDownload } from './explain-store.js';
import { directivesOf } from './proxies.js';

function withoutCharset(type: string): string {
  return type.replace(/; *charset=[^;]*/i, '');
}

function explainDifference({ body, contentType }: Sample, answer: Answer): Problem | undefined {
  const type = headerOf(answer, 'content-type');
  const proxy = directivesOf(answer.proxy);
  // A charset on text changes nothing for clients, and prosody-filer adds one itself.
  if (withoutCharset(type) !== withoutCharset(contentType)) {
    return {
      found: `The Content-Type ${contentType} came back as ${type === '' ? 'no Content-Type' : type}.`,
      cause:
        'The proxy changes the type (add_header or proxy_set_header Content-Type), or serves files itself and takes the type from the name.',
      change: 'Remove these directives from the location. Do not use try_files with mod_http_file_share.',
    };
  }
  if (!answer.body.equals(body)) {
    return {
      found: `${body.length} bytes came back as ${answer.body.length} different bytes.`,
      cause: 'The proxy changes or truncates bodies: by a filter, or since its disk is full.',
      change: `${proxy.noFilters} Look at the proxy's error log.`,
    };
  }
  const length = headerOf(answer, 'content-length');
  if (length !== String(body.length)) {
    return {
      found: `Content-Length is ${length === '' ? 'missing' : length} for a file of ${body.length} bytes.`,
      cause: 'The proxy sends the body in chunks, because it changes it.',
      change: proxy.noFilters,
    };
  }
  return undefined;
}

/** Explains how a downloaded sample differs from the uploaded one; `undefined` if it does not. */
export function explainDownload(sample: Sample, answer: Answer): Problem | undefined {
  if (answer.status !== 200) {
    const { found, ...advice } = explainStatus(answer);
    return { found: `The upload was accepted, but its download got ${found}`, ...advice };
  }
  const problem = explainDifference(sample, answer);
  return problem && { ...problem, ...adviceOnDownload(answer, problem) };
}
