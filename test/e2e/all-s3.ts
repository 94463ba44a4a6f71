// Runs the e2e tests with a bucket with one Ceph, and another one that is killed: to start a Ceph takes 3 s of CPU time.
// Files start in the order of their names, and this one takes the longest: no core should wait for it at the end.
import { shareCeph } from '../support/ceph.js';
import { importTests } from '../support/import-tests.js';

shareCeph();
await importTests(new URL('s3/', import.meta.url));
