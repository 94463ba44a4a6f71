import type { ComponentConfig } from '../../config/component-settings.js';
import { explainEnd } from '../../slots/component.js';
import { ComponentLink, StreamError } from '../../slots/component-link.js';
import type { Check } from './check.js';

const patienceMs = 10_000;

/** Whether the XMPP server takes the component with its secret: it is connected for a moment, unless it is already. */
export async function checkComponent(component: ComponentConfig): Promise<Check> {
  let isTaken = false;
  const timings = { idleMs: patienceMs, answerMs: patienceMs };
  const link = new ComponentLink(component, timings, {
    onReady: () => {
      isTaken = true;
      void link.close();
    },
    answer: async () => undefined,
  });
  const reason = await link.ended;
  if (isTaken) {
    const server = `${component.host} port ${component.port}`;
    return {
      verdict: 'ok',
      message: `component: the XMPP server at ${server} takes ${component.jid} with this secret`,
    };
  }
  const message = explainEnd(reason, component);
  const isConnected = reason instanceof StreamError && reason.condition === 'conflict';
  if (!isConnected) return { verdict: 'problem', message };
  return { verdict: 'warning', message: `${message}; all is well if it is prosody-filer` };
}
