// The load generator's own process: takes jobs over IPC, one after the other, and answers each with its result.
import type { Job } from './generator-jobs.js';
import { runLoad } from './run-load.js';
import { runSlowUploads } from './run-slow-uploads.js';

process.on('message', (job: Job) => {
  const running = job.slowly === undefined ? runLoad(job) : runSlowUploads(job, job.slowly);
  running.then(
    (result) => process.send?.({ result }),
    (error: unknown) => process.send?.({ error: error instanceof Error ? error.message : String(error) }),
  );
});
process.on('disconnect', () => process.exit());
