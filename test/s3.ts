// Runs the tests of storage in a bucket in one process with one Ceph: to start a Ceph takes 3 s of CPU time.
import { readdir } from 'node:fs/promises';
import { shareCeph } from './support/ceph.js';

shareCeph();
const folder = new URL('storage/s3/', import.meta.url);
for (const name of await readdir(folder)) await import(new URL(name, folder).href);
