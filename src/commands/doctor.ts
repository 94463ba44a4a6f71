import path from 'node:path';
import type { Command } from 'commander';
import { parseBaseUrl } from '../config/base-url.js';
import { type Config, describeStorage } from '../config/config.js';
import type { Finding } from '../diagnosis/remote/verdict.js';
import type { DoctorSettings } from '../diagnosis/remote/visit.js';
import { FilerError, UsageError } from '../errors.js';
import type { Output, ResultOptions } from '../output.js';
import { withProgress } from '../progress.js';

/** How to remove uploads from the store without leaving tombstones, or why this user cannot. */
async function findRemover(config: Config, output: Output): Promise<DoctorSettings['removeFromStore']> {
  const { openOwnedStore } = await import('../service/open-configured-store.js');
  try {
    const store = await openOwnedStore({ ...config, replayWindowMs: 0 }, output);
    return async (key) => (await store.delete(key)) !== undefined;
  } catch (error) {
    if (error instanceof UsageError || error instanceof FilerError) return error.message;
    throw error;
  }
}

/** What the URLs begin with to which clients are sent for downloads. */
async function findDownloads({ s3 }: Config): Promise<URL | undefined> {
  if (s3 === undefined || s3.download === 'proxy') return undefined;
  if (s3.download === 'public') return new URL(`${s3.publicUrl}${s3.path}`);
  const { bucketUrl } = await import('../storage/s3/inspect-bucket.js');
  return new URL(`${await bucketUrl(s3)}${s3.path}`);
}

/** How uploads go past the server, if they do. */
async function findDirect(config: Config): Promise<DoctorSettings['direct']> {
  const { component, s3 } = config;
  if (component?.upload !== 'direct' || s3 === undefined) return undefined;
  const { openSlotIssuer } = await import('../service/open-slot-issuer.js');
  const issuer = await openSlotIssuer(component, config);
  return {
    giveSlot: (slot) => issuer.issue({ ...slot, uploader: 'doctor', expiresAt: undefined }, Date.now()),
    downloadsFrom: s3.publicUrl === undefined ? undefined : new URL(s3.publicUrl + s3.path),
  };
}

const labels = { ok: 'ok', skipped: 'skipped', problem: 'PROBLEM' } as const;

function toText(finding: Finding): string {
  const lines = [`${labels[finding.outcome].padEnd(8)}${finding.check.padEnd(17)}${finding.found}`];
  if (finding.outcome === 'problem') lines.push(`usual cause: ${finding.cause}`, `change: ${finding.change}`);
  return lines.join(`\n${' '.repeat(8)}`);
}

/** How an operator removes a slot's uploads without this program. */
function removeCommand(config: Config, slot: string): string {
  if (config.storeDir !== undefined) return `rm -r ${path.join(config.storeDir, slot)}`;
  return `aws s3 rm --recursive ${describeStorage(config)}${slot}`;
}

/** Examines a server through its public URL, prints what it finds, and resolves to whether all is right. Throws a ConfigError. */
async function doctor(url: string, { config: configFile, json }: ResultOptions, output: Output): Promise<boolean> {
  const { loadConfig } = await import('../config/load-config.js');
  const { examine } = await import('../diagnosis/remote/examine.js');
  const baseUrl = parseBaseUrl(url, 'url');
  const { config } = loadConfig(configFile);
  const [secret = ''] = config.secrets;
  const removeFromStore = await findRemover(config, output);
  const direct = await findDirect(config);
  const findings: Finding[] = [];
  const settings: DoctorSettings = {
    ...config,
    url: new URL(baseUrl),
    secret,
    removeFromStore,
    slotUrl: direct?.downloadsFrom === undefined ? config.component?.baseUrl : undefined,
    direct,
    downloadsFrom: await findDownloads(config),
    storage: describeStorage(config),
    removeCommand: (slot) => removeCommand(config, slot),
  };
  const report = (finding: Finding) => {
    findings.push(finding);
    if (!json) output.print(toText(finding));
  };
  await withProgress(json ? undefined : output.progressTerminal, 'testing', () => examine(settings, report));
  const problems = findings.filter(({ outcome }) => outcome === 'problem').length;
  const summary = `${baseUrl}: ${findings.length} checks, problems: ${problems}`;
  output.print(json ? JSON.stringify({ url: baseUrl, problems, findings }) : summary);
  return problems === 0;
}

/** Adds the command that examines the server through its public URL. */
export function register(program: Command, output: Output): void {
  program
    .command('doctor')
    .description('test the server through its public URL as a client would, and explain what is wrong')
    .argument('<url>', 'public URL of this server, such as https://uploads.example.org/upload/')
    .option('--json', 'print JSON')
    .addHelpText('after', '\nExit codes: 0 no problems, 1 problems, 2 wrong usage or configuration.')
    .addHelpText('after', 'To trust a CA of your own, set NODE_EXTRA_CA_CERTS=/path/ca.pem in the environment.\n')
    .action(async (url: string, options: ResultOptions) => {
      if (!(await doctor(url, options, output))) output.exitWith(1);
    });
}
