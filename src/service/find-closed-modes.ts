import type { Config } from '../config/config.js';

/** Why nginx could not send uploads, whatever its groups: this process makes them for its own user only. */
export function findClosedModes({
  accelRedirect,
  fileMode,
  dirMode,
}: Pick<Config, 'accelRedirect' | 'fileMode' | 'dirMode'>): string[] {
  if (accelRedirect === undefined) return [];
  const umask = process.umask();
  const canRead = ((fileMode ?? 0o644 & ~umask) & 0o044) !== 0;
  const canEnter = ((dirMode ?? 0o755 & ~umask) & 0o011) !== 0;
  if (canRead && canEnter) return [];
  const modes = 'Set fileMode = "0640" and dirMode = "0750", or UMask=0027 in the unit';
  return [`accelRedirect: nginx cannot read new uploads, since only the user of this process may. ${modes}`];
}
