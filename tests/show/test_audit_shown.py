"""The audit's page as text: it holds the audit, nothing that came in can end its data, and nothing is fetched."""

import base64
import hashlib
import html
import json
import re

from audits import made

from attn_course import show

HOSTILE = "</script><script>window.ran=1</script><img src=x onerror=window.ran=1> & \"quoted\" 'too' \ud800"


def test_the_page_carries_the_audit_and_its_hashes():
    audit = made()
    text = show.audit.page(audit)
    assert text == show.audit.page(made())
    scripts = re.findall(r"<script([^>]*)>(.*?)</script>", text, flags=re.DOTALL)
    assert json.loads(scripts[0][1]) == json.loads(json.dumps(audit.to_dict()))
    digest = base64.b64encode(hashlib.sha256(scripts[1][1].encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in text
    assert not re.search(r"\b(fetch|XMLHttpRequest|WebSocket|sendBeacon|eval|localStorage)\b", scripts[1][1])
    assert "url(" not in text and "@import" not in text


def test_hostile_labels_end_nothing():
    text = show.audit.page(made(subject=HOSTILE, use=HOSTILE))
    assert text.count("</script>") == 2 and "<img" not in text and text.encode()
    assert HOSTILE[:8] not in text.split("<script", 1)[0]


def test_in_a_notebook_it_is_a_frame_and_has_a_stable_name():
    shown = show.audit(made())
    assert repr(shown) == "AuditPage(a reader of sentences: 4 tables, 4 questions, unsigned)"
    frame = shown._repr_html_()
    assert 'sandbox="allow-scripts allow-downloads allow-modals"' in frame
    inside = html.unescape(re.search(r"srcdoc='(.*?)'>", frame, flags=re.DOTALL)[1])
    assert inside == show.audit.page(made())
    assert "UNSIGNED" in frame.rsplit("<pre>", 1)[1]
