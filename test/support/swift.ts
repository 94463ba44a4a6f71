/*
 * OpenStack Swift with its S3 front: a proxy and one account, one container and one object server, all on one folder.
 * What the servers listen for and where they keep things stands in their files; what they hash paths with in Debian's
 * /etc/swift/swift.conf. The proxy finds them by rings, each of one partition that is on one device. A ring is, gzipped:
 *
 *   "R1NG", 1 (uint16), length of the JSON (uint32), JSON, the partition's device (uint16, in the byte order of the JSON)
 *
 * which is written here, since swift-ring-builder takes seconds for three. The sign-in needs a cache to ask: nothing
 * listens where this one should be, so that nothing is remembered wrongly.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { eventually } from './eventually.js';
import { isListening } from './listening.js';
import { findProgram, freePort } from './peers.js';
import { RunningProcess } from './running-process.js';
import { lookInside, type S3Service } from './s3-service.js';
import { shared } from './shared.js';
import { type Teardown, tempDir } from './temp-dir.js';

const kinds = ['account', 'container', 'object'] as const;

/** The programs that `startSwift` needs, for `missingPeer`. */
export const swiftPrograms = ['proxy', ...kinds].map((kind) => `swift-${kind}-server`);

const device = 'device';
const user = { accessKeyId: 'test:filer', secretAccessKey: 'test-secret-key' };

/** The Swift that the tests of a suite share, a bucket each: started for the first that asks, ended after the last. */
export function sharedSwift(): () => Promise<S3Service> {
  return shared(startSwift);
}

/** Starts a Swift of its own; resolves once it listens. */
export async function startSwift(t: Teardown): Promise<S3Service> {
  const started: RunningProcess[] = [];
  // Hooks run in this order: first the servers, then their folder.
  t.after(async () => {
    await Promise.all(started.map((server) => server.stop('SIGKILL')));
  });
  const folder = await tempDir(t);
  await mkdir(join(folder, device));
  const start = async (kind: string, port: number, rest: string) => {
    const [program, file] = [`swift-${kind}-server`, join(folder, `${kind}-server.conf`)];
    await writeFile(file, toConfig(folder, port) + rest);
    const server = new RunningProcess(findProgram(program) ?? program, [file]);
    started.push(server);
    // Rejects if the server ends before it listens.
    await Promise.race([server.waitForLine(() => false), eventually(() => isListening(port))]);
  };
  const storage = await Promise.all(
    kinds.map(async (kind) => {
      const port = await freePort();
      await writeFile(join(folder, `${kind}.ring.gz`), makeRing(port));
      return { kind, port };
    }),
  );
  const port = await freePort();
  await Promise.all([
    ...storage.map(({ kind, port }) => start(kind, port, storageConfig(kind))),
    start('proxy', port, proxyConfig),
  ]);
  return lookInside(t, { ...user, endpoint: `http://127.0.0.1:${port}` });
}

function makeRing(port: number): Buffer {
  const ip = '127.0.0.1';
  const place = { id: 0, region: 1, zone: 1, weight: 1, ip, port, replication_ip: ip, replication_port: port };
  const json = JSON.stringify({ byteorder: 'little', devs: [{ ...place, device }], part_shift: 32, replica_count: 1 });
  const head = Buffer.from('R1NG\0\x01\0\0\0\0');
  head.writeUInt32BE(json.length, 6);
  return gzipSync(Buffer.concat([head, Buffer.from(json), Buffer.from([0, 0])]));
}

function toConfig(folder: string, port: number): string {
  return `
[DEFAULT]
bind_ip = 127.0.0.1
bind_port = ${port}
workers = 0
user = ${userInfo().username}
swift_dir = ${folder}
devices = ${folder}
mount_check = false
fallocate_reserve = 0
log_level = CRITICAL
# A slow machine is no broken one.
conn_timeout = 10
container_update_timeout = 10
`;
}

function storageConfig(kind: string): string {
  return `
[pipeline:main]
pipeline = ${kind}-server

[app:${kind}-server]
use = egg:swift#${kind}
`;
}

const proxyConfig = `
[pipeline:main]
pipeline = catch_errors cache s3api tempauth proxy-server

[filter:catch_errors]
use = egg:swift#catch_errors

[filter:cache]
use = egg:swift#memcache
memcache_servers = 127.0.0.1:1

[filter:s3api]
use = egg:swift#s3api

[filter:tempauth]
use = egg:swift#tempauth
user_test_filer = ${user.secretAccessKey} .admin

[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
`;
