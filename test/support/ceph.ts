import { randomBytes } from 'node:crypto';
import { after } from 'node:test';
import {
  CreateBucketCommand,
  HeadObjectCommand,
  type HeadObjectCommandOutput,
  NotFound,
  paginateListObjectsV2,
  S3Client,
} from '@aws-sdk/client-s3';
import { startCephCluster } from './ceph-cluster.js';
import { freePort } from './peers.js';
import type { Teardown } from './temp-dir.js';

/** What `missingPeer` is to be asked for before `startCeph`. */
export const cephPrograms = ['ceph', 'ceph-mon', 'ceph-osd', 'monmaptool', 'radosgw', 'radosgw-admin'] as const;

/** An S3 service of its own with one user. */
export interface Ceph {
  /** An origin; buckets stand in the path. */
  readonly endpoint: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** The user's name for `admin`. */
  readonly uid: string;
  /** Looks in from outside, as the user. */
  readonly client: S3Client;
  /** Resolves to the new bucket's name. */
  createBucket(name?: string): Promise<string>;
  keysIn(bucket: string): Promise<string[]>;
  /** Resolves to `undefined` where there is no such object. */
  headOf(bucket: string, key: string): Promise<HeadObjectCommandOutput | undefined>;
  /** Runs radosgw-admin on this cluster; resolves to what it prints, throws when it fails. */
  admin(...args: readonly string[]): Promise<string>;
  /** Kills the gateway: connections are reset, then refused. */
  stopGateway(): Promise<void>;
  /** Starts the stopped gateway on the same port and the same data; resolves once it listens. */
  startGateway(): Promise<void>;
  /** Stops the gateway's clock: connections are taken by the kernel, and nothing is answered until `resumeGateway`. */
  pauseGateway(): void;
  resumeGateway(): void;
}

const user = { accessKeyId: 'test-access-key', secretAccessKey: 'test-secret-key' };
const uid = 'filer';

/** The Ceph that the tests of a suite share, a bucket each: started for the first that asks, ended after the last. */
export function sharedCeph(): () => Promise<Ceph> {
  const hooks: (() => Promise<void> | void)[] = [];
  after(async () => {
    for (const hook of hooks) await hook();
  });
  let ceph: Promise<Ceph> | undefined;
  return () => {
    ceph ??= startCeph({ after: (hook) => hooks.push(hook) });
    return ceph;
  };
}

/** Starts a Ceph of its own with the S3 gateway; resolves once it listens. */
export async function startCeph(t: Teardown): Promise<Ceph> {
  const port = await freePort();
  const cluster = await startCephCluster(t, port);
  const admin = (...args: readonly string[]): Promise<string> => cluster.run('radosgw-admin', ...args);
  const keys = ['--access-key', user.accessKeyId, '--secret-key', user.secretAccessKey];
  await admin('user', 'create', '--uid', uid, '--display-name', uid, ...keys);

  const startGateway = async () => {
    const gateway = cluster.start('radosgw', '-n', 'client.rgw');
    await gateway.waitForLine((line) => line.includes('mgrc service_daemon_register'));
    return gateway;
  };
  let gateway = await startGateway();
  const signal = (name: NodeJS.Signals): void => {
    if (gateway.pid !== undefined) process.kill(gateway.pid, name);
  };
  const endpoint = `http://127.0.0.1:${port}`;
  return {
    ...{ ...user, uid, endpoint, admin },
    ...lookInside(t, endpoint),
    stopGateway: async () => {
      await gateway.stop('SIGKILL');
    },
    startGateway: async () => {
      gateway = await startGateway();
    },
    pauseGateway: () => signal('SIGSTOP'),
    resumeGateway: () => signal('SIGCONT'),
  };
}

function lookInside(t: Teardown, endpoint: string): Pick<Ceph, 'client' | 'createBucket' | 'keysIn' | 'headOf'> {
  const client = new S3Client({
    endpoint,
    region: 'us-east-1',
    credentials: user,
    forcePathStyle: true,
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    maxAttempts: 1,
  });
  t.after(() => client.destroy());
  return {
    client,
    createBucket: async (name = `bucket-${randomBytes(8).toString('hex')}`) => {
      await client.send(new CreateBucketCommand({ Bucket: name }));
      return name;
    },
    keysIn: async (bucket) => {
      const keys: string[] = [];
      for await (const { Contents = [] } of paginateListObjectsV2({ client }, { Bucket: bucket })) {
        keys.push(...Contents.flatMap(({ Key }) => Key ?? []));
      }
      return keys;
    },
    headOf: async (bucket, key) => {
      try {
        return await client.send(new HeadObjectCommand({ Bucket: bucket, Key: key }));
      } catch (error) {
        if (error instanceof NotFound) return undefined;
        throw error;
      }
    },
  };
}
