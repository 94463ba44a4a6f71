import type { Command } from 'commander';
import { describeStorage } from '../config/config.js';
import { type Output, type ResultOptions, warnOfUnreadable } from '../output.js';
import { withProgress } from '../progress.js';
import type { NamedTotal } from '../retention/count-uploads.js';
import { countOf, formatSize } from '../units.js';
import { UploaderIds } from '../upload/uploader.js';

function table(title: string, rows: readonly NamedTotal[]): string {
  const cells = rows.map(({ name, files, bytes }) => [name, String(files), formatSize(bytes)] as const);
  const widths = [0, 1, 2].map((column) => Math.max(0, ...cells.map((row) => row[column]?.length ?? 0)));
  const lines = cells.map(([name, files, bytes]) =>
    ['', name.padEnd(widths[0] ?? 0), files.padStart(widths[1] ?? 0), bytes.padStart(widths[2] ?? 0)].join('  '),
  );
  return [title, ...lines].join('\n');
}

async function stats({ config: configFile, json }: ResultOptions, output: Output): Promise<void> {
  const { loadConfig } = await import('../config/load-config.js');
  const { openListedStore } = await import('../service/open-configured-store.js');
  const { compileRetention } = await import('../retention/expiry.js');
  const { countUploads } = await import('../retention/count-uploads.js');
  const { config } = loadConfig(configFile);
  const store = await openListedStore(config);
  const uploads = store.list({ onUnreadable: warnOfUnreadable(output) });
  const retention = compileRetention(config.retention);
  const found = await withProgress(json ? undefined : output.progressTerminal, 'reading the store', (count) =>
    countUploads(uploads, retention, new UploaderIds(config.secrets, config.jidInUrlDomain), Date.now(), count),
  );
  const { storeDir, s3 } = config;
  if (json) return output.print(JSON.stringify({ storeDir, bucket: s3?.bucket, ...found }));
  output.print(`${countOf(found.files, 'upload')}, ${formatSize(found.bytes)} in ${describeStorage(config)}`);
  if (found.files === 0) return;
  output.print(table('\nby type', found.types));
  output.print(table('\nby age', found.ages));
  output.print(table('\nby expiry', found.expiries));
  if (found.purposes.some(({ name }) => name !== 'message')) output.print(table('\nby purpose', found.purposes));
  if (found.uploaders.length > 0) output.print(table('\nlargest uploaders', found.uploaders));
}

/** Adds the command that counts the uploads in the store. It changes nothing. */
export function register(program: Command, output: Output): void {
  program
    .command('stats')
    .description('count the uploads in the store by type, age, expiry, purpose and uploader')
    .option('--json', 'print JSON')
    .action((options: ResultOptions) => stats(options, output));
}
