"""Frequent typing errors in the domains of e-mail addresses."""

from collections.abc import Mapping

_PROVIDERS = {
    "gmail.com": (
        "gmail.co gmail.cm gmail.om gmail.con gmail.cmo gmail.comm gmail.coml gmail.vom gmail.xom gmai.com gmal.com "
        "gmial.com gmil.com gmaill.com gmaiil.com gmali.com gamil.com gnail.com gmsil.com ggmail.com hmail.com "
        "gmail.ocm gmailcom gail.com gmaul.com gmeil.com gmaik.com"
    ),
    "hotmail.com": (
        "hotmail.co hotmail.cm hotmail.con hotmail.cmo hotmail.comm hotmai.com hotmal.com hotmial.com hotmil.com "
        "hotmaill.com hotmali.com hotamil.com hotnail.com hotmsil.com hotmaul.com hormail.com homtail.com hotmailcom "
        "htomail.com hitmail.com"
    ),
    "outlook.com": (
        "outlook.co outlook.cm outlook.con outlok.com outloo.com outllok.com outlooks.com otulook.com outlookcom "
        "outllook.com oulook.com"
    ),
    "yahoo.com": "yahoo.cm yahoo.con yahoo.cmo yaho.com yahooo.com yhaoo.com yhoo.com yahho.com yahoocom yaoo.com",
    "icloud.com": "icloud.co icloud.cm icloud.con iclod.com icoud.com icloude.com iclould.com icluod.com icloudcom",
    "live.com": "live.con live.cm live.cmo",
    "aol.com": "aol.con aol.cm aol.cmo",
}

CORRECTIONS: Mapping[str, str] = {wrong: right for right, words in _PROVIDERS.items() for wrong in words.split()}
"""The domain that is meant, by the domain that was typed.

Only domains of the greatest providers, and none that is another provider's: `gmx.co` and `yahoo.co` are left alone.
"""
