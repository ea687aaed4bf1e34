"""A short story by the client that openapi-python-client makes of /openapi.json.

It is told the service's address, an API token of the platform, and which half to tell:
`begin` prints user name and secret of a device, `end` suspends that device.
"""

import sys

from countersign_client import AuthenticatedClient
from countersign_client.api.credentials import (
    get_credentials,
    get_credentials_by_name,
    post_credentials,
    post_credentials_by_name_suspend,
)
from countersign_client.api.tenants import post_tenants
from countersign_client.models import (
    Credential,
    IssuedCredential,
    PostCredentialsNew,
    PostTenantsNew,
    Problem,
)


def begin(client):
    new = PostTenantsNew(id="story")
    tenant = post_tenants.sync(client=client, body=new)
    assert tenant.id == "story", tenant
    again = post_tenants.sync(client=client, body=new)
    assert isinstance(again, Problem) and again.kind == "exists", again
    for number in range(7):
        new = PostCredentialsNew(name=f"dev{number}", tenant="story")
        issued = post_credentials.sync(client=client, body=new)
        assert isinstance(issued, IssuedCredential), issued
    print(issued.username, issued.secret)


def end(client):
    suspended = post_credentials_by_name_suspend.sync("dev6@story", client=client)
    assert isinstance(suspended, Credential), suspended
    assert suspended.state == "Suspended", suspended
    names, after = [], None
    while True:
        page = get_credentials.sync(client=client, tenant="story", limit=3, after=after)
        assert len(page.items) <= 3, page
        names += [item.name for item in page.items]
        after = page.next_
        if after is None:
            break
    assert names == [f"dev{number}@story" for number in range(7)], names
    unknown = get_credentials_by_name.sync("nobody@story", client=client)
    assert isinstance(unknown, Problem) and unknown.kind == "not-found", unknown
    print("the end")


address, token, half = sys.argv[1:]
{"begin": begin, "end": end}[half](AuthenticatedClient(base_url=address, token=token))
