import { domainOf } from '../../upload/uploader.js';
import { mayHaveSlots, type SlotSettings } from '../slot-policy.js';
import { AdHocCommands, type AdHocContext } from './ad-hoc-commands.js';
import type { Command, UploadCommandsContext } from './command.js';
import { deleteMine, deleteOfUser } from './delete-all.js';
import { deleteOne } from './delete-one.js';
import { myUploads } from './my-uploads.js';
import { type StatisticsContext, statistics } from './statistics.js';

/** Who may run commands. */
export interface AdHocSettings extends Pick<SlotSettings, 'access'> {
  /** Bare JIDs, in lower case. */
  readonly admins: readonly string[];
}

/** The commands of users who may have slots, and those of admins. */
export function openAdHoc(
  settings: AdHocSettings,
  parts: UploadCommandsContext & StatisticsContext & Pick<AdHocContext, 'logger'>,
): AdHocCommands {
  const forUsers = [myUploads(parts), deleteOne(parts), deleteMine(parts)];
  const forAdmins = [statistics(parts), deleteOfUser(parts)];
  const commandsFor = (jid: string): readonly Command[] => [
    ...(mayHaveSlots(jid, settings) ? forUsers : []),
    ...(settings.admins.includes(jid) ? forAdmins : []),
  ];
  return new AdHocCommands({
    ...parts,
    commands: [...forUsers, ...forAdmins],
    commandsFor,
    // A foreign server can invent any number of JIDs.
    paceOf: (jid) => (commandsFor(jid).length > 0 ? jid : domainOf(jid)),
  });
}
