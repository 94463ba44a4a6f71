import type { Config } from '../../config/config.js';
import { formatSize, unlimited } from '../../units.js';
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
  readonly limits: Pick<Config['limits'], 'quotas'>;
  readonly component?: { readonly access: readonly string[] } | undefined;
}

/** What each table of quotas says, and whether its uploaders get slots of [component]. */
export function checkQuotas({ limits, component }: Settings): Verdict[] {
  return limits.quotas.map((table) => {
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
}
