import { internalLocation } from '../../config/nginx-locations.js';
import type { Advice, Problem, Verdict } from '../finding.js';
import { type Answer, headerOf } from '../remote/send-request.js';
import { explainStatus, isErrorOfFiler } from './explain-status.js';

/** Explains why nobody sent the bytes that prosody-filer left to nginx. `accelRedirect` is that of the configuration. */
export function explainNoBytes(accelRedirect: string | undefined): Problem {
  const found =
    'A download has no bytes: prosody-filer left them to nginx (X-Accel-Redirect), and nginx did not send them.';
  if (accelRedirect === undefined) {
    const cause = 'prosody-filer still runs with accelRedirect, which config.toml no longer sets.';
    return { found, cause, change: 'Restart prosody-filer.' };
  }
  return {
    found,
    cause: 'Clients reach prosody-filer without nginx, or nginx has proxy_ignore_headers X-Accel-Redirect.',
    change: 'Without nginx, remove accelRedirect from config.toml and restart. In nginx, remove proxy_ignore_headers.',
  };
}

/** Explains why clients can use the location that is for nginx. */
export function explainOpenLocation(accelRedirect: string): Problem {
  return {
    found: `Clients can fetch uploads at ${accelRedirect}, past prosody-filer: also expired ones, and with other headers.`,
    cause: `The location ${accelRedirect} of nginx is not internal.`,
    change: `Add the line "internal;" to location ${accelRedirect}, and run systemctl reload nginx.`,
  };
}

function adviceOn({ status }: Answer, accelRedirect: string, storeDir: string): Advice | undefined {
  const paste = internalLocation(accelRedirect, storeDir);
  const use = 'Have exactly this location in the server block of the URL, and run systemctl reload nginx:';
  switch (status) {
    case 200:
    case 404: {
      const cause = `nginx has no location ${accelRedirect}, or its alias is not storeDir as nginx sees it.`;
      return { cause, change: use, paste };
    }
    case 403:
      return {
        cause: "nginx's user may not enter the folders in storeDir, or not read the files.",
        change:
          'Run prosody-filer check-config as root on the host of nginx: it names the folder and the command. nginx knows new groups after systemctl reload nginx.',
      };
    case 500:
      return {
        cause: `The location ${accelRedirect} passes requests on, so it leads back to itself.`,
        change: use,
        paste,
      };
    default:
      return undefined;
  }
}

/** Explains why nginx did not send a file of storeDir that prosody-filer had left to it. */
export function explainNginx(answer: Answer, accelRedirect: string, storeDir: string): Problem {
  const advice = isErrorOfFiler(answer) ? undefined : adviceOn(answer, accelRedirect, storeDir);
  if (advice === undefined) return explainStatus(answer);
  const got = answer.status === 200 ? `${answer.body.length} other bytes` : `${answer.status} from nginx`;
  return { found: `prosody-filer left a download to nginx, and the client got ${got}.`, ...advice };
}

/** Says that nginx could send downloads, if it is nginx that passes this answer on. */
export function fasterByNginx(answer: Answer): Verdict {
  const found = 'accelRedirect is not set, so prosody-filer sends the bytes of downloads that nginx passes on to it.';
  if (!headerOf(answer, 'server').startsWith('nginx')) return 'accelRedirect is not set.';
  const change =
    'Nothing, if nginx cannot read storeDir. Otherwise nginx can send the bytes, which is faster: see "nginx" in the README.';
  return { outcome: 'ok', found, change };
}
