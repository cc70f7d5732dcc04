"""The commands, settings and subscribers files that `tests.record` tries: texts, no code."""

from __future__ import annotations

# Commands stand between semicolons; one that ends with * is given again with --json, and @ stands
# for @example.org.
REPORTS = """
status * ; history * ; history ada@ --papers * ; history lin@ ; why ada@ * ; why ada@ 2026-11-10 *
why ; why ada@ 2026-11-12 * ; why ada@ 2026-11-14 ; why lin@ 2026-11-16 * ; why off@ * ; why tom@
why grace@ ; why ada@ 2611.10048 * ; why ada@ 2611.10060 * ; why lin@ 2611.10077v1 *
why grace@ 2611.10076 * ; why zoe@ ; why ada@ 2601.99999 * ; why ada@ 2099-01-01
why github:ada/papers * ; outbox ; outbox show 3 * ; config * ; keywords *
keywords windows --save 20 - ; keywords check --offline a NOT b ; subscribers * ; preview
subscribers show off@ ; subscribers show github:ada/papers * ; export ; export --format csv
doctor * ; export --format bibtex ; export --email off@ --unmailed ; publish --markdown page.md *
import page.md * ; preview off@ --now 2026-12-24T08:00 ; outbox show 1 --eml -
run --now 2026-11-24T07:00 --dry-run *
"""
CHANGES = """
subscribe new@ -k x --name New --revisions --max-papers 7 --exclude cat:cs.RO --at 07:00 *
subscribe new@ --abstracts short --format text --author "Ada L." --category cs.LG --at ''
subscribe new@ --subject-prefix "[x]" --paused-until 2026-12-01 --exclude none --order newest *
keywords remove Hallucination ; subscribers import people.csv * ; subscribers import wrong.csv
subscribers ; subscribers set lin@ at=none name=Lin ; resend ada@ ; resend ada@ --date 2026-11-10
send new@ ; status ; doctor --send ada@ ; db backup copy.db ; run -v --now 2026-11-25T08:00
db restore copy.db --not-mailed --now 2026-11-26T07:00 ; run --log-json -v --now 2026-11-27T08:00
run
"""
WAITING = """
preview ada@ ; preview ada@ --html ; preview grace@ --eml ; preview tom@ --eml ; outbox list *
outbox show 17 * ; preview github:ada/papers ; outbox drop 17 ; outbox retry 18 ; outbox retry --all
keywords windows * ; keywords accept "Reward Model" ; send ada@ * ; run --wait ; run ; status *
why ada@
"""
PLAIN = """
--version ; completion zsh ; completion fish ; timer install --print --system
timer install --user --yes ; timer status * ; timer remove --print ; timer remove --user --yes
timer status ; subscribers check
"""
WRONG = """
nonsense ; statu ; status --jsn ; why adda@ ; why ada@ someday ; history --papers
keywords windows Rewad ; keywords check --offline '"a' ; keywords check --offline 'ti:(a'
keywords check --offline 'xx:a' ; inbox ; keywords check --offline 'a AND'
keywords check --offline 'cat:' ; keywords check --offline '*a' ; outbox x
keywords add "Reward Model" x ; keywords rename "Reward Model" Hallucination
subscribers set ada@ at=25:00 ; subscribers set ada@ att=07:00 timezone=Berlin
subscribers set ada@ email=x ; subscribers move ada@ lin@ ; subscribers import subscribers.yaml
subscribe a@b@c -k x ; subscribe zoe@ -k '"a' ; subscribe zoe@ -k +none
subscribe a@ b@ -k x --name Both ; unsubscribe ada@ -k Hallucination
db restore subscribers.yaml --mailed ; publish --template broken.md --markdown -
status --home subscribers.yaml ; status --db subscribers.yaml ; status --db mail
run --subscribers mail ; run --subscribers none.yaml ; db check --db none.db ; demo mail
run --subscribers latin.yaml ; run --subscribers empty.yaml ; run --db none/x.db
preview ada@ --html --eml
"""
SETTINGS = r"""
MAIL_RATE=0/min | MAIL=smtp:// | MAIL=smtp://a:port | MAIL=maildir: | FROM=a@b.example, c@d.example
DB=postgres://x | BASE_URL=http://example.org | SUBSCRIBERS_YAML=x: [ | MAIL_TOKEN_COMMAND=none 'x
BOUNCE=an-address-that-is-far-too-long-for-a-token-behind-it@example.org | TEMPLATE=x
ON_UNKNOWN=Hold
"""
NAMES = """
email github name keywords schedule at timezone revisions max_papers exclude quiet_days order
authors categories abstracts format subject_prefix paused_until keyword At timzone
"""
VALUES = """x|5|"5"|[]|[1, {}]|{a: b}|null|yes|""|25:00|"a|2026-13-01|['"a']|*a|x: y"""
FIELDS = r"""
at: 7am | at: 420 | at: "07:00"\n    at: "08:00" | timezone: Berlin | timezone: Europe/Berlinn
max_papers: 1.5 | schedule: dayly | schedule: [mon, tues] | revisions: "true" | revisions: publishd
order: newst | ? x | 1: x | subject_prefix: a prefix that is longer than thirty letters
name: "a\n\n   b" | paused_until: 1.12.2026 | \tat: x | email: lin@example.org
github: https://github.com/ada/papers | exclude: ['ti:('] | foo: bar
"""
LISTED = r"""
#x | 1e3 | 2024 | on | 0x1f | 12:30 | "a" OR b | [x] | {a: b} | a: b | "" | +none | + | ti: bar
ti:"a | a AND | (a | xx:y | Reward Modell | rewardmodel | Hallucinations | * | !x | "\q | - a
x\n\t- y | +vison | au:"x" AND ()
"""
WHOLE = r"""
# nothing | x | - x | "x | subscribers: x | subscriber: []
subscribers: [5, {}, {email: a@b.example}] | defaults: [] | defaults: {email: a@b.example}
defaults: {at: 25:00, atx: 1} | groups: {a: x} | groups: {a: [+b], b: [x]} | keywords: x
groups: {a: [x], A: [y]} | groups: {1: [x]} | keywords: {+a: x, b: [x], c: }
keywords: {a: x, A: y} | keywords: [x, X] | keywords: {a: {query: x, mach: y}}
keywords: {a: {match: all}} | keywords: {a: {query: 'ti:x', match: both}} | keywords:\n\ta: x
keywords:\n  a: x\n b: y | keywords:\n  a: ti: bar | keywords: {a: x | keywords: {}\nkeywords: {}
a: &a [*a] | %YAML 3.0\n---\n{} | ---\n{}\n---\n{} | keywords: {a: !!python/object:x y}
keywords: [5, +a, '"x']
subscribers: [{email: a@b.example, keywords: [x]}, {email: A@b.example, keywords: [x]}]
subscribers: {email: x}
"""
READER = "subscribers:\n  - email: ada@example.org\n    keywords: [x]\n    "
SUBSCRIBERS = """\
# Readers with all fields.
defaults: {timezone: Europe/Berlin, max_papers: 40}
keywords:
  Reward Model: '"reward model" OR "preference model"'
  RL theory: 'ti:"reinforcement learning" AND cat:cs.LG ANDNOT abs:robot*'
  Hallucination: {match: either}
groups: {vision: [Hallucination, image captioning]}
subscribers:
  - {email: ada@example.org, name: Ada Lovelace, keywords: [Reward Model, +vision], revisions: true,
     authors: [Grace Hopper], categories: [cs.CL, stat.*]}      # a comment that stays
  - {email: lin@example.org, keywords: [RL theory, Reward Model], schedule: weekdays, at: "07:30"}
  - {email: grace@example.org, keywords: [Reward Model], exclude: ['cat:cs.RO', Hallucination],
     revisions: published, order: newest, quiet_days: tell, abstracts: short, max_papers: 2}
  - {email: tom@example.org, keywords: [time series], format: text, abstracts: none,
     timezone: Asia/Tokyo, subject_prefix: "[arXiv]"}
  - {email: off@example.org, keywords: [Reward Model], paused_until: 2026-12-24, schedule: [mon]}
  - {github: ada/papers, keywords: [Reward Model], quiet_days: tell}
"""
FILES = {
    "people.csv": "email,name,keywords,at\nada@example.org,A,x;+vision,08:00\np@example.org,,y,\n",
    "wrong.csv": "email,name,at,colour\nnobody,A,7,\nq@example.org,,,red\n",
    "other.eml": "From: a@example.org\nTo: papers@example.org\nSubject: Hello\n\nHow are you?\n",
    "broken.md": "{{ nothing.at.all }}\n{% for %}\n",
    "empty.yaml": "",
    ".env": "DIGEST_FROM=Papers <papers@example.org>\nDIGEST_CONTACT=owner@example.org\n"
    "DIGEST_BASE_URL=https://127.0.0.1:9/d\nDIGEST_BOUNCE=bounces@example.org\n",
}
PROGRAMS = {
    "crontab": 'case $1 in -l) /bin/cat "$0.tab" || { echo no crontab >&2; exit 1; };; '
    '-r) /bin/rm "$0.tab";; *) /bin/cat >"$0.tab";; esac',
    "systemctl": "echo active",
    "sendmail": 'echo "$@" >>mailed.txt; /bin/cat >>mailed.txt; case $* in *lin@*) exit 67;; esac',
}
TOPICS = (
    "reward model",
    "hallucination",
    "reinforcement learning",
    "image captioning",
    "time series",
)
PEOPLE = ("Grace Hopper", "José Ñandú", "Chen Li", "Anna von Trapp", "K. O'Neil", "Émile Vér")
REVISED = {48: (3, "Accepted at ICML 2026"), 53: (3, "New"), 60: (7, "This paper is withdrawn")}
"""In which papers a new version comes, on which day, with which comment."""
DAYS = ("", "", "failed", "", "unmailed", "", "", "", "doubtful", "doubtful", "")
"""What is the matter on each day from November 9, a Monday, on."""
