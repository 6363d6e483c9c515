"""What the site publishes. All of it is invented; a real site has its articles in a database of its own."""

from __future__ import annotations

from collections.abc import Iterator

from attrs import frozen

__all__ = ["ARTICLES", "LARGE", "Article"]


@frozen(kw_only=True)
class Article:
    """
    An article. The slug names its page and its thread, so it never changes; `version` grows when the text does.

    Corrections point into `text`, so a page shows each paragraph exactly as it stands there.
    """

    slug: str
    title: str
    standfirst: str
    byline: str
    paragraphs: tuple[str, ...]
    version: str = "1"
    lang: str = "en"
    dir: str = "ltr"

    @property
    def key(self) -> str:
        """The key of the article's thread."""
        return f"articles/{self.slug}"

    @property
    def url(self) -> str:
        return f"/a/{self.slug}"

    @property
    def text(self) -> str:
        """The text that corrections refer to."""
        return "\n\n".join(self.paragraphs)

    def offsets(self) -> Iterator[tuple[int, str]]:
        """Yield each paragraph with the place where it begins in `text`."""
        start = 0
        for paragraph in self.paragraphs:
            yield start, paragraph
            start += len(paragraph) + 2


_WEIR = Article(
    slug="lights-over-the-weir",
    title="Lights over the weir",
    standfirst="Six nights, two pilots, one searchlight, and a question that nobody asked.",
    byline="By Ilse Maartens",
    paragraphs=(
        (
            "For six nights in Febuary the people of Harrow Weir saw lights above the water. They came after supper, in twos "
            "and threes, swung a little, and went out. By the fourth night there were folding chairs on the embankment."
        ),
        (
            "Two pilots reported them. A flying club denied them. The council met, found that it had no column in its budget "
            "for lights, and bought a searchlight under the heading of road repairs. It reaches to the far bank and, in good "
            "weather, somewhat beyond."
        ),
        (
            "“We were not afraid,” says Odile Brandt, who runs the lock. “One is not afraid of a thing that "
            "goes home at ten.” She kept a list all the same: the hour, the wind, the number of lights, and who had brought "
            "cake."
        ),
        (
            "On the seventh night somebody thought of asking the farmer upstream, who keeps bees, a barn owl, and a kite with "
            "a bicycle lamp. He had wondered about the searchlight."
        ),
    ),
)

_CLOCK = Article(
    slug="the-clock-that-ran-ahead",
    title="The clock that ran ahead",
    standfirst="Why the trains of Lower Quill left four minutes early for thirty-one years.",
    byline="By Tomasz Verbeek",
    paragraphs=(
        (
            "Nobody in Lower Quill has ever missed a train for being late. They have missed them for being on time, which is "
            "worse, because there is nobody to blame."
        ),
        (
            "The station clock was set in 1961 by a man with a good watch and a bad cold. He sneezed at the wrong moment, moved "
            "the hand by four minutes, and signed the form. Every clock in the town was then set by the station."
        ),
        (
            "The error was found last spring, when a visitor asked why the noon bells rang before noon. A committee was formed. "
            "It meets at eight, which is four minutes to eight, and nobody has been late yet."
        ),
    ),
)

_BEES = Article(
    slug="bees-on-the-council-roof",
    title="Bees on the council roof",
    standfirst="A swarm has moved in above the planning department. It has not applied.",
    byline="By Ilse Maartens",
    paragraphs=(
        (
            "The swarm arrived during the second item of the agenda and settled in the gutter above the planning department. "
            "It has since extended the gutter."
        ),
        (
            "An officer went up to explain the rules and came down again. The bees were found to be within their rights under a "
            "by-law of 1874, which was written for pidgeons and never amended."
        ),
        "The honey will be sold at the counter, beside the forms.",
    ),
)

_RAIL = Article(
    slug="maktabat-al-qitar",
    title="مكتبة القطار",
    standfirst="عربة قديمة تحولت إلى مكتبة صغيرة تسافر بين القرى.",
    byline="بقلم ليلى حداد",
    paragraphs=(
        "كل يوم خميس يقف قطار صغير في محطة القرية، وليس فيه مسافرون. فيه ثلاثة آلاف كتاب، ومقعدان، وإبريق شاي.",
        "يقول السائق إن الكتب تعود دائما، وإن كانت تعود أحيانا مع كتب أخرى. لا أحد يعرف كم عددها الآن.",
        "في الشتاء الماضي تأخر القطار يومين بسبب الثلج، فجلس القراء على الرصيف وحكى بعضهم لبعض ما قرأه.",
    ),
    lang="ar",
    dir="rtl",
)

ARTICLES = (_WEIR, _CLOCK, _BEES, _RAIL)

#: Listed when its thread has been made with `--large`.
LARGE = Article(
    slug="the-longest-queue",
    title="The longest queue in the county",
    standfirst="It begins at the post office. Nobody has seen where it ends, and everybody has a view.",
    byline="By Tomasz Verbeek",
    paragraphs=(
        (
            "On Monday there were nine people outside the post office in Harrow. On Tuesday there were nine hundred, and by "
            "Thursday a second queue had formed of those who wished to complain about the first."
        ),
        "The postmaster has issued numbers. The highest is 100,000. It is held by a man in Lower Quill, who is early.",
    ),
)
