// Runs the tests of storage in a bucket with one Ceph: to start a Ceph takes 3 s of CPU time.
import { shareCeph } from './support/ceph.js';
import { importTests } from './support/import-tests.js';

shareCeph();
await importTests(new URL('storage/s3/', import.meta.url));
