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
gateway.register_plugin('xep_0030')
gateway.register_plugin('xep_0363')


async def upload():
    plugin = gateway['xep_0363']
    # By itself, slixmpp 1.8 does not find a service in the name of a component.
    info = await gateway['xep_0030'].get_info(f'upload.{domain}', ifrom=gateway.boundjid, timeout=20)
    fields = [form['values'] for form in info['disco_info'].iterables]
    limits = [int(values['max-file-size']) for values in fields if values['FORM_TYPE'] == ['urn:xmpp:http:upload:0']]
    plugin.upload_service = info['from']
    plugin.max_file_size = min(limits)
    url = await plugin.upload_file(file, ifrom=gateway.boundjid, timeout=20)
    requests = [plugin.request_slot(plugin.upload_service, 'f', 1, ifrom=gateway.boundjid, timeout=20) for _ in range(int(slots))]
    answers = await asyncio.gather(*requests, return_exceptions=True)
    print(json.dumps({'url': url, 'given': sum(not isinstance(answer, Exception) for answer in answers)}))


async def main():
    started = loop.create_future()
    gateway.add_event_handler('session_start', started.set_result)
    gateway.connect()
    await asyncio.wait_for(started, 20)
    await upload()
    await gateway.disconnect()


loop.run_until_complete(main())
