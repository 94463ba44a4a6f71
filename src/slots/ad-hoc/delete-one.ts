import type { FoundUploads } from '../../retention/user-uploads.js';
import type { Command, UploadCommandsContext } from './command.js';
import { CommandRefusal } from './command-refusal.js';
import { type FormValues, fillableForm } from './data-form.js';
import { findUploads } from './find-uploads.js';
import { lastStage, type Stage } from './stage.js';
import { pageOf, pageSize, uploadText } from './upload-texts.js';

const title = 'Delete one of my uploads';
const field = 'upload';
/** Chosen at first, so that nobody deletes an upload by mistake. Profanity shows a list only if one of its values is chosen. */
const none = { value: '0', label: 'None' };

/** The command that deletes one upload of the user. */
export function deleteOne(context: UploadCommandsContext): Command {
  const chooseFrom = (jid: string, found: FoundUploads, index: number): Stage => {
    const { uploads, hasPrev, hasNext, sentence } = pageOf(found, index);
    // Short values, since some clients have people type them.
    const numbered = new Map(uploads.map((upload, offset) => [String(index * pageSize + offset + 1), upload] as const));
    const options = [none, ...[...numbered].map(([value, upload]) => ({ value, label: uploadText(upload) }))];
    const instructions = `Choose the upload to delete. It cannot be restored, and links to it stop working.${sentence}`;
    const complete = async (values: FormValues): Promise<Stage> => {
      const value = values.get(field) ?? '';
      if (value === none.value) return lastStage('Nothing was deleted, because you chose no upload.');
      const chosen = numbered.get(value);
      if (chosen === undefined) throw new CommandRefusal('bad-payload', 'Choose an upload from the list.');
      const isDeleted = await context.uploads.delete(chosen.key, jid, { jid, reason: 'asked by uploader' });
      return isDeleted ? lastStage('The upload is deleted.') : lastStage('The upload was gone already.', 'error');
    };
    const list = { name: field, type: 'list-single', label: 'Upload', value: none.value, options } as const;
    return {
      payload: [fillableForm({ title, instructions }, [], [list])],
      actions: {
        ...(hasPrev && { prev: async () => chooseFrom(jid, found, index - 1) }),
        ...(hasNext && { next: async () => chooseFrom(jid, found, index + 1) }),
        complete,
      },
      usual: 'complete',
    };
  };
  return {
    node: 'delete-one',
    name: title,
    start: (jid) =>
      findUploads(context, jid, jid, title, async (found) =>
        found.files === 0 ? lastStage('You have no uploads.') : chooseFrom(jid, found, 0),
      ),
  };
}
