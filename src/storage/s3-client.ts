/*
 * Checksums beyond those that an operation requires are switched off: the SDK would send a body in "aws-chunked" pieces
 * with a trailer, which other services than AWS refuse.
 */
import type { S3ClientConfig } from '@aws-sdk/client-s3';
import type { S3Options } from './s3-options.js';

const connectMs = 5000;

const silent = { debug: nothing, info: nothing, warn: nothing, error: nothing };

function nothing(): void {}

/** How the SDK reaches the service, waiting so long (ms) for a connection that moves no byte. */
export function clientConfig(options: S3Options, silentMs: number): S3ClientConfig {
  const { region, endpointUrl, credentials, forcePathStyle } = options;
  const agent = { keepAlive: true, maxSockets: Number.POSITIVE_INFINITY };
  return {
    region,
    forcePathStyle,
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    // With it a refusal of a large body often came as a broken connection.
    expectContinueHeader: false,
    // It would print each failure, which is logged as the reason of an answer.
    logger: silent,
    requestHandler: { connectionTimeout: connectMs, socketTimeout: silentMs, httpAgent: agent, httpsAgent: agent },
    ...(endpointUrl === undefined ? {} : { endpoint: endpointUrl }),
    ...(credentials === undefined ? {} : { credentials }),
  };
}
