import type { Config } from '../../config/config.js';
import { dayMs, formatSize, isLimit, unlimited } from '../../units.js';
import { domainOf } from '../../upload/uploader.js';
import type { Verdict } from '../finding.js';

type QuotaTable = Config['limits']['quotas'][number];

function describeFigures({ match, requestsPerMinute, ...sizes }: QuotaTable): string {
  const figures = Object.entries(sizes)
    .filter(([, bytes]) => bytes !== undefined)
    .map(([key, bytes = unlimited]) => (bytes === unlimited ? `no ${key}` : `${key} ${formatSize(bytes)}`));
  const pace = requestsPerMinute === undefined ? [] : [`${requestsPerMinute} slot requests a minute`];
  const whom = match.includes('@') ? match : `${match} and each JID of it`;
  return `${whom}: ${[...figures, ...pace].join(', ')}. All else is as at the top.`;
}

interface Settings {
  readonly limits: Pick<Config['limits'], 'quotas' | 'dailyQuota'>;
  readonly replayWindowMs: number;
  readonly component?: { readonly access: readonly string[] } | undefined;
}

/** Only tombstones tell how much of today was deleted. */
function checkTombstones({ limits: { dailyQuota, quotas }, replayWindowMs }: Settings): Verdict[] {
  const isLimited = [dailyQuota, ...quotas.map((table) => table.dailyQuota)].some(isLimit);
  if (!isLimited || replayWindowMs >= dayMs) return [];
  return [
    {
      outcome: 'warning',
      found:
        'dailyQuota forgets deleted uploads after replayWindow, which is shorter than a day. Users of [component] can delete their uploads, and then send more.',
      change: 'Set replayWindow to "24h" or more.',
    },
  ];
}

/** What each table of quotas says, whether its uploaders get slots of [component], and whether dailyQuota knows deletions. */
export function checkQuotas(settings: Settings): Verdict[] {
  const { limits, component } = settings;
  const ofTables = limits.quotas.map((table): Verdict => {
    const { match } = table;
    const found = describeFigures(table);
    const { access = [match] } = component ?? {};
    if (access.some((entry) => entry === match || entry === domainOf(match) || domainOf(entry) === match)) return found;
    return {
      outcome: 'warning',
      found: `${found} component.access does not list ${match}, so [component] gives it no slots.`,
      change: `Add "${match}" to component.access, unless another module of the XMPP server gives it its slots.`,
    };
  });
  return [...ofTables, ...checkTombstones(settings)];
}
