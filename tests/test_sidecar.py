"""Answers in people's photo libraries: what other programs wrote stays, ours can be taken back, traps do nothing."""
import os
import shutil
import sys
import time
from hashlib import sha256
from xml.etree.ElementTree import canonicalize

import pytest
import tinymodel
from PIL import Image

from birdornot.cli import main
from birdornot.sidecar import keywords, write_keywords

RDF = 'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"'
DC, LR = 'xmlns:dc="http://purl.org/dc/elements/1.1/"', 'xmlns:lr="http://ns.adobe.com/lightroom/1.0/"'


def words(name, kind, *some):
    "A list of keywords, laid out as Exiv2 lays it out"
    rows = "".join(f"\n     <rdf:li>{w}</rdf:li>" for w in some)
    return f"\n   <{name}>\n    <rdf:{kind}>{rows}\n    </rdf:{kind}>\n   </{name}>"


# digiKam: a frame of xpacket, all its lists, a region of a face, a caption with markup in it
DIGIKAM = f"""<?xml version="1.0" encoding="UTF-8"?>
<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/" x:xmptk="XMP Core 4.4.0-Exiv2">
 <rdf:RDF {RDF}>
  <!-- mine -->
  <rdf:Description rdf:about=""
    xmlns:digiKam="http://www.digikam.org/ns/1.0/"
    {LR}
    {DC}
    xmlns:xmp="http://ns.adobe.com/xap/1.0/"
   digiKam:PickLabel="0"
   xmp:Rating="4">{words("digiKam:TagsList", "Seq", "family/Grandma", "places/Föhr")}{
   words("lr:hierarchicalSubject", "Bag", "family|Grandma", "places|Föhr")}{
   words("dc:subject", "Bag", "Grandma", "Föhr")}
   <dc:description><rdf:Alt><rdf:li xml:lang="x-default">5 &lt; 6 &amp; more</rdf:li></rdf:Alt></dc:description>
  </rdf:Description>
 </rdf:RDF>
</x:xmpmeta>
<?xpacket end="w"?>
"""
# darktable: no frame, attributes a line each, the steps of a development, no keyword yet
DARKTABLE = f"""<?xml version="1.0" encoding="UTF-8"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/" x:xmptk="XMP Core 4.4.0-Exiv2">
 <rdf:RDF {RDF}>
  <rdf:Description rdf:about=""
    xmlns:darktable="http://darktable.sf.net/"
   darktable:xmp_version="5"
   darktable:history_end="1">
   <darktable:history>
    <rdf:Seq>
     <rdf:li
      darktable:num="0"
      darktable:operation="flip"
      darktable:params="ffffffff"/>
    </rdf:Seq>
   </darktable:history>
  </rdf:Description>
 </rdf:RDF>
</x:xmpmeta>
"""
# Lightroom: photo.xmp, no declaration, one keyword that is an answer of ours too, and the padding of xpacket
LIGHTROOM = f"""<x:xmpmeta xmlns:x="adobe:ns:meta/" x:xmptk="Adobe XMP Core 7.0">
 <rdf:RDF {RDF}>
  <rdf:Description rdf:about="" {DC} xmlns:crs="http://ns.adobe.com/camera-raw-settings/1.0/" crs:Exposure2012="+0.5">{
  words("dc:subject", "Bag", "Sunset")}
  </rdf:Description>
 </rdf:RDF>
</x:xmpmeta>
"""


@pytest.fixture
def library(tmp_path, monkeypatch):
    "Six photos, a note called photo, and sidecars of three programs; a model that knows sunset from sea"
    tinymodel.folder(tmp_path/"model")
    (tmp_path/"photos").mkdir()
    colours = dict(a=(230, 120, 40), b=(30, 90, 200), c=(230, 120, 40), d=(30, 90, 200))
    for name, colour in colours.items(): Image.new("RGB", (40, 40), colour).save(tmp_path/"photos"/f"{name}.jpg")
    (tmp_path/"photos"/"note.jpg").write_text("buy milk")
    for name, text in (("a.jpg", DIGIKAM), ("b.jpg", DARKTABLE), ("b_01.jpg", DARKTABLE), ("c", LIGHTROOM)):
        (tmp_path/"photos"/f"{name}.xmp").write_text(text, encoding="utf-8", newline="")
    monkeypatch.chdir(tmp_path)
    return tmp_path/"photos"


def state(folder):
    "name → hash, mode and time of each file"
    return {f.name: (sha256(f.read_bytes()).hexdigest(), f.stat().st_mode, f.stat().st_mtime_ns)
            for f in folder.iterdir()}


def meaning(folder):
    "name → the canonical form of each sidecar"
    return {f.name: canonicalize(f.read_text(encoding="utf-8"), with_comments=True) for f in folder.glob("*.xmp")}


def test_sidecars_of_three_programs_are_merged_and_come_back(library, capsys):
    os.chmod(library/"a.jpg.xmp", 0o640)
    os.link(library/"a.jpg.xmp", library.parent/"old")  # written in place, this would change too
    before, meant = state(library), meaning(library)
    assert main(["predict", "model", "photos", "--xmp"]) == 1  # for the note
    said = capsys.readouterr()
    assert "4 photos have their answer as a keyword, the others none: 1 refused" in said.err and said.out == ""
    after = state(library)
    assert {n: v for n, v in after.items() if n not in ("a.jpg.xmp", "b.jpg.xmp", "d.jpg.xmp")} == {
        n: v for n, v in before.items() if n not in ("a.jpg.xmp", "b.jpg.xmp")}, "photos and the rest are as they were"
    assert (library.parent/"old").read_text(encoding="utf-8") == DIGIKAM
    assert after["a.jpg.xmp"][1] == before["a.jpg.xmp"][1], "whoever could read it still can"
    assert keywords(library/"a.jpg") == (["Föhr", "Grandma", "sunset"], ["sunset"])
    text = (library/"a.jpg.xmp").read_text(encoding="utf-8")
    assert text.count("<rdf:li>sunset</rdf:li>") == 4 and text.splitlines()[:3] == DIGIKAM.splitlines()[:3]
    assert [keywords(library/f"{n}.jpg") for n in "bcd"] == [(["sea"], ["sea"]), (["Sunset"], []), (["sea"], ["sea"])]
    assert main(["predict", "model", "photos", "--xmp"]) == 1 and state(library) == after, "nothing to do, nothing done"
    assert main(["predict", "model", "photos", "--xmp", "--undo"]) == 0
    assert meaning(library) == meant and {*state(library)} == {*before}
    assert "3 of 5 photos had keywords of ours" in capsys.readouterr().err


def test_an_unsure_answer_is_no_keyword_and_withdraws_an_earlier_one(library, capsys):
    tinymodel.folder(library.parent/"doubtful", unsure=dict(min_confidence=0.999999))
    shutil.copy(library/"a.jpg", library/"e.jpg")
    for model in ("model", "doubtful"): main(["predict", model, "photos/d.jpg", "photos/e.jpg", "--xmp"])
    assert "0 photos have their answer as a keyword, the others none: 2 unsure" in capsys.readouterr().err
    assert not {"d.jpg.xmp", "e.jpg.xmp"} & {f.name for f in library.iterdir()}


def test_what_the_owner_does_with_a_keyword_holds(library):
    write_keywords(library/"a.jpg", ["sunset", "sea"])
    text = (library/"a.jpg.xmp").read_text(encoding="utf-8")
    for sep in "/|": text = text.replace("<rdf:li>sunset</rdf:li>", f"<rdf:li>light{sep}sunset</rdf:li>", 1)
    note = text.rindex("<rdf:li>sea</rdf:li>")
    (library/"a.jpg.xmp").write_text(text[:note].replace("<rdf:li>sea</rdf:li>", "") + text[note:], encoding="utf-8")
    write_keywords(library/"a.jpg", ["sunset", "sea"])
    assert "sea" not in keywords(library/"a.jpg")[0], "what was deleted does not come back"
    write_keywords(library/"a.jpg", [])
    assert keywords(library/"a.jpg") == (["Föhr", "Grandma", "sunset"], []), "what was put in order is kept"


def bomb(system=""):
    "A sidecar that is a gigabyte, or a file of this computer, to a parser that believes it"
    steps = "".join(f'<!ENTITY e{i} "{f"&e{i - 1};"*10}">' for i in range(1, 10))
    return f"""<!DOCTYPE x [<!ENTITY e0 {system or '"boom"'}>{"" if system else steps}]><rdf:RDF {RDF} {DC}>
<rdf:Description rdf:about=""><dc:subject><rdf:Bag><rdf:li>&e{0 if system else 9};</rdf:li></rdf:Bag></dc:subject>
</rdf:Description></rdf:RDF>"""


def test_traps_and_strange_files_are_left_alone(library, capsys):
    "Entities, links, files that are not XMP: each is refused with its reason, and nothing is read or written"
    (library.parent/"secret").write_text("secret")
    traps = dict(a=bomb(), b=bomb(f'SYSTEM "{(library.parent/"secret").as_uri()}"'), d="<rdf:RDF")
    for name, text in traps.items(): (library/f"{name}.jpg.xmp").write_text(text)
    if sys.platform != "win32":
        (library/"c.xmp").rename(library.parent/"elsewhere")
        (library/"c.xmp").symlink_to(library.parent/"elsewhere")
    before, start = state(library), time.process_time()
    assert main(["predict", "model", "photos/a.jpg", "photos/b.jpg", "photos/c.jpg", "photos/d.jpg", "--xmp"]) == 1
    assert time.process_time() - start < 2 and state(library) == before
    said = capsys.readouterr().err
    assert "b.jpg has no keyword changed: it has a DOCTYPE" in said and "secret" not in said
    assert "a.jpg has no keyword changed: it" in said
    assert main(["predict", "model", "photos", "--undo"]) == 1 and state(library) == before


def test_sidecars_among_photos_are_no_photos(library, capsys):
    "They were named as left out, thousands in a library, and asked for where a pattern or the shell found them"
    main(["predict", "model", "photos", "--json"])
    said = capsys.readouterr()
    assert "left out" not in said.err and len(said.out.splitlines()) == 5
    main(["predict", "model", "photos/*", *map(str, sorted(library.glob("*.xmp"))), "--json"])
    assert len(capsys.readouterr().out.splitlines()) == 5
