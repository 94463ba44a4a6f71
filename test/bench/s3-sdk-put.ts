// Uploads a file by the AWS SDK alone; prints the seconds that it took and this process's peak memory in MiB.
import { createReadStream, statSync } from 'node:fs';
import { PutObjectCommand, S3Client } from '@aws-sdk/client-s3';

const [endpoint = '', accessKeyId = '', secretAccessKey = '', bucket = '', key = '', file = ''] = process.argv.slice(2);
const client = new S3Client({
  endpoint,
  region: 'us-east-1',
  credentials: { accessKeyId, secretAccessKey },
  forcePathStyle: true,
  requestChecksumCalculation: 'WHEN_REQUIRED',
  expectContinueHeader: false,
  maxAttempts: 1,
});
const startedAt = performance.now();
const ContentLength = statSync(file).size;
await client.send(new PutObjectCommand({ Bucket: bucket, Key: key, Body: createReadStream(file), ContentLength }));
const seconds = (performance.now() - startedAt) / 1000;
console.log(JSON.stringify({ seconds, peakMiB: process.resourceUsage().maxRSS / 1024 }));
