/*
 * Checksums beyond those that an operation requires are switched off: the SDK would send a body in "aws-chunked" pieces
 * with a trailer, which other services than AWS refuse.
 */
import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import type { S3ClientConfig } from '@aws-sdk/client-s3';
import type { S3Options } from './s3-options.js';

const connectMs = 5000;

const silent = { debug: nothing, info: nothing, warn: nothing, error: nothing };

function nothing(): void {}

/** How the SDK reaches the service, waiting so long (ms) for a connection that moves no byte. */
export function clientConfig(options: S3Options, silentMs: number): S3ClientConfig {
  const { region, endpointUrl, credentials, forcePathStyle } = options;
  return {
    region,
    forcePathStyle,
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    // With it a refusal of a large body often came as a broken connection.
    expectContinueHeader: false,
    // It would print each failure, which is logged as the reason of an answer.
    logger: silent,
    requestHandler: {
      connectionTimeout: connectMs,
      socketTimeout: silentMs,
      // Clients that share them send a PUT, which is not tried again, to the connection that has just answered a HEAD.
      httpAgent: new HttpAgent({ keepAlive: true }),
      httpsAgent: new HttpsAgent({ keepAlive: true }),
    },
    ...(endpointUrl === undefined ? {} : { endpoint: endpointUrl }),
    ...(credentials === undefined ? {} : { credentials }),
  };
}
