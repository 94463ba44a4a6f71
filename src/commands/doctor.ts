import type { Command } from 'commander';
import { parseBaseUrl } from '../config/base-url.js';
import type { Output, ResultOptions } from '../output.js';

interface DoctorOptions extends ResultOptions {
  readonly slow?: boolean;
}

/** Examines the server behind the URL and prints the findings; resolves to the exit code. Throws a ConfigError. */
async function doctor(url: string, { config: configFile, json, slow }: DoctorOptions, output: Output): Promise<number> {
  const { loadConfig } = await import('../config/load-config.js');
  const { printFindings } = await import('../diagnosis/print-findings.js');
  const { doctorSettings } = await import('../diagnosis/remote/doctor-settings.js');
  const { slowUploadMs } = await import('../diagnosis/remote/check-slow-upload.js');
  const { examine } = await import('../diagnosis/remote/examine.js');
  const subject = parseBaseUrl(url, 'url');
  const settings = await doctorSettings(loadConfig(configFile).config, new URL(subject), output);
  const printing = { json, subject, fields: { url: subject } };
  return printFindings(
    (report) => examine({ ...settings, ...(slow ? { slowUploadMs } : {}) }, report),
    output,
    printing,
  );
}

/** Adds the command that examines the server through its public URL. */
export function register(program: Command, output: Output): void {
  program
    .command('doctor')
    .description('test the server through its public URL as a client would, and explain what is wrong')
    .argument('<url>', 'public URL of this server, such as https://uploads.example.org/upload/')
    .option('--slow', 'also make an upload that takes 70 s, to find time limits of the proxy')
    .option('--json', 'print JSON')
    .addHelpText('after', '\nExit codes: 0 no problems, 1 problems, 2 wrong usage or configuration.')
    .addHelpText('after', 'To trust a CA of your own, set NODE_EXTRA_CA_CERTS=/path/ca.pem in the environment.\n')
    .action(async (url: string, options: DoctorOptions) => {
      output.exitWith(await doctor(url, options, output));
    });
}
