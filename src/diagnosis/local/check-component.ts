import type { ComponentConfig } from '../../config/component-settings.js';
import { explainEnd } from '../../slots/component.js';
import { ComponentLink, StreamError } from '../../slots/component-link.js';
import type { Verdict } from '../finding.js';

const patienceMs = 10_000;

/** Whether the XMPP server accepts the component with its secret, by connecting for a moment. */
export async function checkComponent(component: ComponentConfig): Promise<Verdict> {
  const { host, port, jid } = component;
  let isAccepted = false;
  const timings = { idleMs: patienceMs, answerMs: patienceMs };
  const link = new ComponentLink(component, timings, {
    onReady: () => {
      isAccepted = true;
      void link.close();
    },
    answer: async () => undefined,
  });
  const reason = await link.ended;
  if (isAccepted) return `The XMPP server at ${host} port ${port} accepts ${jid} with this secret.`;
  const found = explainEnd(reason, component);
  if (reason instanceof StreamError && reason.condition === 'conflict') {
    const change = `Nothing, if prosody-filer runs. Otherwise stop the program that is connected as ${jid}.`;
    return { outcome: 'warning', found, change };
  }
  return { found, change: 'Compare [component] with the component in the configuration of the XMPP server.' };
}
