"""End-to-end: real customers from SFTP to Sailthru, selected by their orders, read by the official client."""

from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

from sailthru.sailthru_client import SailthruClient

from cdp_sync.model import Profiles
from cdp_sync_tests.sailthru.exchange import SECRETS, Exchange, column, sailthru, users_goal
from cdp_sync_tests.trail.test_export_trail import SPENDERS, spenders
from cdp_sync_tests.trail.test_trail import PROPERTIES, Shop, inbox, openssh, read, shop

__all__ = ["inbox", "openssh", "shop"]

TEXTS = {"first_name": "FirstName", "city": "City", "phone": "Phone", "postal_code": "PostalCode"}


def test_the_best_customers_are_users(shop: Shop, tmp_path: Path) -> None:
    """The official client reads the values of the files, and the list holds exactly the selected customers."""
    for name in ("Customer.csv", "Invoice.csv"):
        shop.put(name)
    shop.run()
    goal = users_goal(
        segment="spenders", lists=["Spenders"], bulk_from=1,
        map=[column("order_total"), *(column(name) for name in TEXTS)],
    )  # fmt: skip
    with sailthru() as box:
        profiles = Profiles.model_validate({"properties": PROPERTIES, "segments": [SPENDERS]})
        crm = Exchange(tmp_path / "crm", goal=goal, box=box, profiles=profiles)
        crm.warehouse = shop.warehouse
        assert crm.run().counters.profiles_written == len(spenders())
        customers = {row["Email"].lower(): row for row in read("Customer.csv")}
        client = SailthruClient(SECRETS["KEY"], SECRETS["SECRET"], api_url=box.url)
        for email, total in spenders().items():
            user = client.api_get("user", {"id": email, "key": "email", "fields": {"vars": 1, "lists": 1}}).get_body()
            texts = {name: customers[email][field] or None for name, field in TEXTS.items()}
            assert user["vars"] == {"order_total": int(total.quantize(Decimal(1), ROUND_HALF_UP)), **texts}
            assert list(user["lists"]) == ["Spenders"]
        assert client.get_list("Spenders").get_body()["count"] == len(spenders()) == len(box.account.users)
        assert crm.run().counters.profiles_written == 0
