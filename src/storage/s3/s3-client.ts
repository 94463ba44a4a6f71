/*
 * The SDK sends checksums only where an operation requires them. Otherwise it would send bodies in "aws-chunked" pieces with a
 * trailer, which services other than AWS refuse.
 */
import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import type { S3ClientConfig } from '@aws-sdk/client-s3';
import type { S3Options } from './s3-options.js';

const connectMs = 5000;

const silent = { debug: nothing, info: nothing, warn: nothing, error: nothing };

function nothing(): void {}

/** The SDK's configuration. It gives up a connection that moves no byte for `silentMs`. */
export function clientConfig(options: S3Options, silentMs: number): S3ClientConfig {
  const { region, endpointUrl, credentials, forcePathStyle } = options;
  return {
    region,
    forcePathStyle,
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    // With it, the refusal of a large body often arrived as a broken connection.
    expectContinueHeader: false,
    // The SDK would print each failure. The log has it already, as the reason of an answer.
    logger: silent,
    requestHandler: {
      connectionTimeout: connectMs,
      socketTimeout: silentMs,
      // With shared agents, a PUT, which is not tried again, would use the connection of the HEAD before it, which the
      // service may just be closing.
      httpAgent: new HttpAgent({ keepAlive: true }),
      httpsAgent: new HttpsAgent({ keepAlive: true }),
    },
    ...(endpointUrl === undefined ? {} : { endpoint: endpointUrl }),
    ...(credentials === undefined ? {} : { credentials }),
  };
}
