"""What the pages say of exporting: who is exported, what a field may hold, lists, processors, consent."""

from cdp_sync_tests.vendor_pages.account import CONSENT, Account, mapped

SEGMENTS = [
    {"name": "everybody", "when": {"property": "email", "has_value": True}},
    {"name": "keen", "when": {"property": "keen", "equals": True}},
    {"name": "named", "when": {"property": "text_one", "has_value": True}},
]
TEXT = [{"field": "plan", "property": "text_one"}]


def test_only_profiles_of_the_segment_are_exported(account: Account) -> None:
    """A profile outside of the segment becomes no user."""
    account.hold("email,text_one,keen\nann@example.com,pro,true\nbob@example.com,pro,false\n")
    assert account.send(segment="keen").counters.profiles_in_segment == 1
    assert account.users().keys() == {"ann"}


def test_only_profiles_with_a_value_in_a_selected_property_are_exported(account: Account) -> None:
    """One of several properties is enough; what is not mapped does not count, nor do texts and ids."""
    account.hold(
        "email,text_one,number_one,date_one\na@example.com,x,,\nb@example.com,,1,\nc@example.com,,,2026-01-01\n"
    )
    columns = [{"field": "source", "text": "cdp"}, {"field": "who", "profile_id": True}]
    columns += [{"field": name, "property": name} for name in ("text_one", "number_one")]
    assert account.send(map=columns).counters.profiles_written == 2
    assert account.users().keys() == {"a", "b"}


def test_only_profiles_with_a_linked_identifier_are_exported(account: Account) -> None:
    """A profile without a value in any linked identifier is counted and stays."""
    account.exchange.hold([{"customer": "C1", "text_one": "x"}])
    counters = account.send().counters
    assert (counters.profiles_without_identifier, counters.profiles_written) == (1, 0)
    assert account.users() == {}


def test_a_field_holds_a_property_an_id_segments_or_a_text(account: Account) -> None:
    """Of all segments of the profile, or of those that are selected; one that it is not in is left out."""
    account.declare(segments=SEGMENTS)
    account.hold("email,text_one,keen\nann@example.com,pro,false\n")
    columns = [
        *TEXT,
        {"field": "who", "profile_id": True},
        {"field": "all_segments", "segments": "all"},
        {"field": "some_segments", "segments": ["named", "keen"]},
        {"field": "no_segments", "segments": ["keen"]},
        {"field": "source", "text": "cdp"},
    ]
    account.send(map=columns)
    ((profile_id,),) = account.rows("select profile_id::text from warehouse.profile")
    held = {"plan": "pro", "who": profile_id, "all_segments": ["everybody", "named"], "some_segments": ["named"]}
    assert account.users() == {"ann": {**held, "no_segments": [], "source": "cdp"}}


def test_fields_that_are_not_mapped_stay_as_they_are(account: Account) -> None:
    """An export enriches an existing user."""
    account.add("ann", city="Bonn", plan="trial")
    account.hold("email,text_one\nann@example.com,pro\n")
    account.send(map=TEXT, create_users=False)
    assert account.users() == {"ann": {"city": "Bonn", "plan": "pro"}}


def test_existing_and_new_users_are_put_on_lists(account: Account) -> None:
    """An existing user, and one that the export creates, are put on each of several lists."""
    account.add("ann")
    account.hold("email,text_one\nann@example.com,x\nbob@example.com,x\n")
    account.send(lists=["Red", "Blue"])
    assert account.on("Red") == account.on("Blue") == {"ann", "bob"}
    assert account.on("Main") == {"ann"}


def test_users_leave_lists_with_the_segment_only_where_that_is_declared(account: Account) -> None:
    """Who leaves the segment leaves the list of the goal that says so, stays on the other, and stays a user."""
    text = "email,text_one,keen\nann@example.com,x,true\nbob@example.com,x,{}\n"
    account.hold(text.format("true"))
    stays = {"name": "stays", "segment": "keen", "lists": ["Red"]}
    leaves = {"name": "leaves", "segment": "keen", "lists": ["Blue"], "remove_from_lists": True}
    account.send(**stays)
    account.send(**leaves)
    account.hold(text.format("false"))
    account.send(**stays)
    account.send(**leaves)
    assert (account.on("Red"), account.on("Blue")) == ({"ann", "bob"}, {"ann"})
    assert account.users()["bob"] == {"text_one": "x"}
    account.hold(text.format("true"))
    account.send(**leaves)
    assert account.on("Blue") == {"ann", "bob"}


def test_profiles_are_processed_before_they_are_exported(account: Account) -> None:
    """A changed value is written, and a profile that is filtered becomes no user."""
    account.hold("email,text_one\nann@example.com,PRO\nbob@example.com,trial\n")
    processors = [{"casing": {"field": "plan", "to": "lower"}}, {"filter": {"field": "plan", "drop": "trial"}}]
    counters = account.send(map=TEXT, processors=processors).counters
    assert (counters.profiles_written, counters.profiles_filtered) == (1, 1)
    assert account.users() == {"ann": {"plan": "pro"}}


def test_only_people_who_consented_to_one_of_the_objectives_are_exported(account: Account) -> None:
    """Of a connection with two objectives, consent to either of them is enough."""
    account.declare(**CONSENT)
    rows = {"ann": "news", "bob": "ads;survey", "cat": "survey", "dan": ""}
    lines = "".join(f"{name}@example.com,x,GDPR,{consented}\n" for name, consented in rows.items())
    account.hold("email,text_one,privacy_legislation,consented_objectives\n" + lines)
    account.exchange.objectives = ("news", "ads")
    assert account.send().counters.profiles_without_consent == 2
    assert account.users().keys() == {"ann", "bob"}


def test_a_profile_that_is_exchanged_again_counts_once(account: Account) -> None:
    """The numbers of a connection are those of unique profiles, imported and exported."""
    account.add("ann", plan="x")
    everything = {"map": [mapped("plan", "text_one")]}
    assert account.bring(**everything).profiles_ever_imported == 1
    assert account.send(changes="all").profiles_ever_exported == 1
    account.add("bob", plan="x")
    assert account.bring(**everything).profiles_ever_imported == 2
    report = account.send(changes="all")
    assert (report.counters.profiles_written, report.profiles_ever_exported) == (2, 2)
