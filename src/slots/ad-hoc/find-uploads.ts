import type { FoundUploads, Walk } from '../../retention/user-uploads.js';
import { countOf } from '../../units.js';
import type { UploadCommandsContext } from './command.js';
import type { Stage } from './stage.js';
import { maxShown } from './upload-texts.js';

/** Finds the uploads of a user for a bare JID, and goes on with them. */
export function findUploads(
  { uploads, jobs }: Pick<UploadCommandsContext, 'uploads' | 'jobs'>,
  jid: string,
  user: string,
  title: string,
  then: (found: FoundUploads) => Promise<Stage>,
): Promise<Stage> {
  const plan = {
    texts: { title, instructions: 'This takes longer than usual. Choose the next step to go on waiting.' },
    progress: (files: number) => `Found ${countOf(files, 'upload')} so far.`,
    isReplaceable: true,
    work: (walk: Walk) => uploads.find(user, maxShown, walk),
  };
  return jobs.run(jid, plan, then);
}
