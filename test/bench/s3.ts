/*
 * One upload at a time of a large file into a bucket of Ceph: by curl through the filer, by the AWS SDK alone, and by curl to
 * a presigned URL, in turns; all else is the same. After `npm run build`: node --import tsx test/bench/s3.ts [MiB] [rounds]
 */
import { randomBytes } from 'node:crypto';
import { open } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { DeleteObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';
import { startCeph } from '../support/ceph.js';
import { run } from '../support/command.js';
import { startOnBucket } from '../support/s3-program.js';
import { pathInBucket } from '../support/s3-service.js';
import { tempDir } from '../support/temp-dir.js';
import { putTarget } from '../support/uploading.js';

const [mebibytes = 1024, rounds = 3] = process.argv.slice(2).map(Number);
const size = mebibytes * 1024 * 1024;
const key = 'bench/f';
const sdkFile = fileURLToPath(new URL('s3-sdk-put.ts', import.meta.url));

const hooks: (() => Promise<void> | void)[] = [];
const teardown = { after: (hook: () => Promise<void> | void) => void hooks.push(hook) };

async function makeFile(): Promise<string> {
  const file = path.join(await tempDir(teardown), 'body');
  const handle = await open(file, 'w');
  const chunk = randomBytes(1024 * 1024);
  for (let count = 0; count < mebibytes; count += 1) await handle.write(chunk);
  await handle.close();
  return file;
}

/** Runs a command that ends well; resolves to what it prints. */
async function output(command: string, args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await run(command, args);
  if (code !== 0) throw new Error(`${command} ended with ${code}: ${stderr}`);
  return stdout;
}

async function curl(file: string, url: string): Promise<number> {
  const measured = '{"seconds":%{time_total}}';
  const args = ['-sSf', '-o', '/dev/null', '-w', measured, '-H', 'Expect:', '-H', 'Content-Type:', '-T', file, url];
  return JSON.parse(await output('curl', args)).seconds;
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

async function measure(): Promise<void> {
  const ceph = await startCeph(teardown);
  const { endpoint, accessKeyId, secretAccessKey, client } = ceph;
  const program = await startOnBucket(teardown, ceph, { replayWindow: '0s' });
  const file = await makeFile();
  const place = { Bucket: program.bucket, Key: pathInBucket + key };
  const signable = { signableHeaders: new Set(['host', 'content-length']) };
  let sdkPeak = 0;

  const ways: Record<string, () => Promise<number>> = {
    filer: () => curl(file, program.origin + putTarget(program, key, size)),
    'SDK alone': async () => {
      const args = [endpoint, accessKeyId, secretAccessKey, place.Bucket, place.Key, file];
      const { seconds, peakMiB } = JSON.parse(await output(process.execPath, ['--import', 'tsx', sdkFile, ...args]));
      sdkPeak = Math.max(sdkPeak, peakMiB);
      return seconds;
    },
    'curl, presigned': async () =>
      curl(file, await getSignedUrl(client, new PutObjectCommand({ ...place, ContentLength: size }), signable)),
  };
  const seconds = new Map(Object.keys(ways).map((name) => [name, [] as number[]]));
  for (let round = 0; round < rounds; round += 1) {
    for (const [name, put] of Object.entries(ways)) {
      seconds.get(name)?.push(await put());
      await client.send(new DeleteObjectCommand(place));
      // Ceph frees the bytes later, and all of them are in memory.
      await ceph.admin('gc', 'process', '--include-all');
    }
  }
  const own = median(seconds.get('filer') ?? []);
  for (const [name, all] of seconds) {
    const rates = all.map((one) => Math.round(mebibytes / one)).join(' ');
    console.log(
      `${name.padEnd(16)} ${rates} MiB/s, median ${Math.round(mebibytes / median(all))}, filer's ratio ${(median(all) / own).toFixed(2)}`,
    );
  }
  console.log(
    `peak memory: filer ${Math.round((await program.memory()).peak)} MiB, SDK alone ${Math.round(sdkPeak)} MiB`,
  );
}

try {
  await measure();
} finally {
  for (const hook of hooks) await hook();
}
