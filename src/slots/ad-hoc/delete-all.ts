import type { Asker, DeletedUploads, FoundUploads, Walk } from '../../retention/user-uploads.js';
import { countOf } from '../../units.js';
import { bareJid } from '../../upload/uploader.js';
import type { Command, UploadCommandsContext } from './command.js';
import { CommandRefusal } from './command-refusal.js';
import { type FormTexts, type FormValues, fillableForm } from './data-form.js';
import { findUploads } from './find-uploads.js';
import { lastStage, type Stage } from './stage.js';
import { totalText } from './upload-texts.js';

/** A JID without a resource, or an id, which looks like a domain. */
const userPattern = /^(?:[^\s@/\p{Cc}]+@)?[^\s@/\p{Cc}]+$/u;

const isFinal = 'Deleted uploads cannot be restored, and links to them stop working.';

/** A deletion that has to be confirmed. */
interface Deletion {
  readonly title: string;
  /** A JID or an id. */
  readonly user: string;
  readonly asker: Asker;
  /** Such as "You have". */
  readonly owner: string;
  /** Back to where the user was chosen. */
  readonly prev?: () => Promise<Stage>;
}

function resultOf({ failed, ...deleted }: DeletedUploads): Stage {
  const sentence = `Deleted ${totalText(deleted)}.`;
  if (failed === 0) return lastStage(sentence);
  return lastStage(`${sentence} ${countOf(failed, 'upload')} could not be deleted. Try again later.`, 'error');
}

function deleteAll({ uploads, jobs }: UploadCommandsContext, { title, user, asker }: Deletion): Promise<Stage> {
  const plan = {
    texts: { title, instructions: 'This goes on if you stop waiting. Choose the next step to wait for the end.' },
    progress: (files: number) => `Deleted ${countOf(files, 'upload')} so far.`,
    isReplaceable: false,
    work: (walk: Walk) => uploads.deleteAll(user, asker, walk),
  };
  return jobs.run(asker.jid, plan, async (deleted) => resultOf(deleted));
}

function confirm(context: UploadCommandsContext, deletion: Deletion, found: FoundUploads): Stage {
  const { title, owner, prev } = deletion;
  const texts: FormTexts = { title, instructions: `${owner} ${totalText(found)}. ${isFinal}` };
  const label = `Delete ${found.files === 1 ? 'this upload' : `all ${found.files} uploads`}`;
  const complete = async (values: FormValues): Promise<Stage> => {
    const value = values.get('confirm') ?? '';
    if (['1', 'true'].includes(value)) return deleteAll(context, deletion);
    if (['0', 'false', ''].includes(value)) return lastStage('Nothing was deleted, because you did not confirm it.');
    throw new CommandRefusal('bad-payload');
  };
  return {
    payload: [fillableForm(texts, [], [{ name: 'confirm', type: 'boolean', label, value: '0' }])],
    actions: { ...(prev !== undefined && { prev }), complete },
    usual: 'complete',
  };
}

/** Finds the uploads and has the deletion confirmed. */
function begin(context: UploadCommandsContext, deletion: Deletion): Promise<Stage> {
  const { asker, user, title, owner } = deletion;
  return findUploads(context, asker.jid, user, title, async (found) =>
    found.files === 0 ? lastStage(`${owner} no uploads.`) : confirm(context, deletion, found),
  );
}

/** The command that deletes all uploads of the user. */
export function deleteMine(context: UploadCommandsContext): Command {
  const title = 'Delete all my uploads';
  return {
    node: 'delete-all',
    name: title,
    start: (jid) =>
      begin(context, { title, user: jid, asker: { jid, reason: 'asked by uploader' }, owner: 'You have' }),
  };
}

/** The admin's command that deletes all uploads of somebody. */
export function deleteOfUser(context: UploadCommandsContext): Command {
  const title = 'Delete uploads of a user';
  const start = async (jid: string): Promise<Stage> => ({
    payload: [
      fillableForm(
        { title, instructions: 'Whose uploads do you want to delete? You will be asked to confirm it.' },
        [],
        [{ name: 'user', type: 'jid-single', label: 'JID of the user' }],
      ),
    ],
    actions: {
      next: async (values) => {
        const user = values.get('user') ?? '';
        if (!userPattern.test(user))
          throw new CommandRefusal('bad-payload', 'Enter the JID of a user, such as romeo@example.org.');
        const deletion = {
          title,
          user: bareJid(user),
          asker: { jid, reason: 'asked by admin' },
          owner: 'The user has',
        } as const;
        return begin(context, { ...deletion, prev: () => start(jid) });
      },
    },
    usual: 'next',
  });
  return { node: 'delete-of-user', name: title, start };
}
