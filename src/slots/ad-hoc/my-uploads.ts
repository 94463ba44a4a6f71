import type { QuotaLeft } from '../../retention/quota-left.js';
import type { FoundUploads } from '../../retention/user-uploads.js';
import { formatSize } from '../../units.js';
import type { Command, UploadCommandsContext } from './command.js';
import { fillableForm, tableForm } from './data-form.js';
import { findUploads } from './find-uploads.js';
import { lastStage, type Stage } from './stage.js';
import { nameOf, pageOf, timeText, totalText } from './upload-texts.js';

const title = 'My uploads';
const columns = { name: 'Name', size: 'Size', date: 'Uploaded', expiry: 'Kept until' };

function quotaText({ stored, today }: QuotaLeft): string {
  const left = stored === undefined ? '' : ` ${formatSize(stored)} of your quota are left.`;
  return today === undefined ? left : `${left} You can upload ${formatSize(today)} more today.`;
}

/** The command that shows the user's uploads. */
export function myUploads(context: UploadCommandsContext): Command {
  const showPage = async (found: FoundUploads, left: QuotaLeft, index: number): Promise<Stage> => {
    const { uploads, hasPrev, hasNext, sentence } = pageOf(found, index);
    const rows = await Promise.all(
      uploads.map(async (upload) => {
        const expiresAt = await context.uploads.expiryOf(upload);
        return {
          name: nameOf(upload),
          size: formatSize(upload.size),
          date: timeText(upload.modifiedAt),
          expiry: expiresAt === undefined ? 'no limit' : timeText(expiresAt),
        };
      }),
    );
    const texts = { title, instructions: `You have ${totalText(found)}.${quotaText(left)}${sentence}` };
    const lines = rows.map(({ name, size, date, expiry }) => `${name}, ${size}, ${date}, kept until: ${expiry}`);
    return {
      payload: [fillableForm(texts, lines)],
      actions: {
        ...(hasPrev && { prev: () => showPage(found, left, index - 1) }),
        ...(hasNext && { next: () => showPage(found, left, index + 1) }),
        complete: async () => ({ payload: [tableForm(texts, columns, rows)], actions: {} }),
      },
      usual: hasNext ? 'next' : 'complete',
    };
  };
  return {
    node: 'my-uploads',
    name: title,
    start: (jid) =>
      findUploads(context, jid, jid, title, async (found) => {
        const left = await context.quotaLeft(jid);
        return found.files === 0 ? lastStage(`You have no uploads.${quotaText(left)}`) : showPage(found, left, 0);
      }),
  };
}
