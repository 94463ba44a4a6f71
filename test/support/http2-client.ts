import { once } from 'node:events';
import { connect, type IncomingHttpHeaders } from 'node:http2';
import type { Answer, RequestOptions, Target } from './http-client.js';

/** As `send`, over HTTP/2 and TLS. */
export async function sendByHttp2({ origin, rawTarget }: Target, options: RequestOptions = {}): Promise<Answer> {
  const { method = 'GET', body } = options;
  const session = connect(origin, { rejectUnauthorized: false });
  try {
    const length = body === undefined ? {} : { 'content-length': body.length };
    const head = { ':method': method, ':path': rawTarget, ...length, ...options.headers };
    const stream = session.request(head, { endStream: body === undefined });
    if (body !== undefined) stream.end(body);
    const [received] = (await once(stream, 'response')) as [IncomingHttpHeaders & { ':status': number }];
    const chunks: Buffer[] = await stream.toArray();
    const { ':status': status, ...headers } = received;
    // Without the symbol by which Node marks some headers.
    return { status, headers: Object.fromEntries(Object.entries(headers)), body: Buffer.concat(chunks) };
  } finally {
    session.destroy();
  }
}
