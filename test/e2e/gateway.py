"""A gateway as Slidge is one: a component that uploads a file in its own name, and then asks for more slots at once.

Arguments: JID, secret, port, domain of the server, file, number of slots. Prints JSON: the URL of the file, and how many of the
slots it got.
"""

import asyncio
import json
import sys

from slixmpp import ComponentXMPP

jid, secret, port, domain, file, slots = sys.argv[1:]
loop = asyncio.new_event_loop()
asyncio.set_event_loop(loop)
gateway = ComponentXMPP(jid, secret, '127.0.0.1', int(port))
for plugin in ('xep_0030', 'xep_0363'):
    gateway.register_plugin(plugin)


async def upload(_event):
    plugin = gateway['xep_0363']
    url = await plugin.upload_file(file, domain=domain, ifrom=gateway.boundjid, timeout=20)
    requests = [plugin.request_slot(plugin.upload_service, 'f', 1, ifrom=gateway.boundjid, timeout=20) for _ in range(int(slots))]
    answers = await asyncio.gather(*requests, return_exceptions=True)
    print(json.dumps({'url': url, 'given': sum(not isinstance(answer, Exception) for answer in answers)}))
    await gateway.disconnect()
    loop.stop()


gateway.add_event_handler('session_start', upload)
gateway.connect()
loop.run_forever()
