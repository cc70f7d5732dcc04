r"""What TeX's commands stand for: symbols by their role, letters, accents, alphabets, scripts.

Symbols follow LaTeX, AMS and the names of the package unicode-math, whose roles (relation, binary
operator, …) decide the spaces around them as in The TeXbook, chapter 18.
"""

from __future__ import annotations


def _pairs(table: str) -> dict[str, str]:
    """Read `name character` pairs; a name is written without its backslash."""
    words = table.split()
    return dict(zip(words[::2], words[1::2], strict=True))


ORDINARY = _pairs(
    r"""
    alpha α beta β gamma γ delta δ epsilon ϵ varepsilon ε zeta ζ eta η theta θ vartheta ϑ iota ι
    kappa κ varkappa ϰ lambda λ mu μ nu ν xi ξ omicron ο pi π varpi ϖ rho ρ varrho ϱ sigma σ
    varsigma ς tau τ upsilon υ phi ϕ varphi φ chi χ psi ψ omega ω digamma ϝ Alpha Α Beta Β Gamma
    Γ Delta Δ Epsilon Ε Zeta Ζ Eta Η Theta Θ Iota Ι Kappa Κ Lambda Λ Mu Μ Nu Ν Xi Ξ Pi Π Rho Ρ
    Sigma Σ Tau Τ Upsilon Υ Phi Φ Chi Χ Psi Ψ Omega Ω varGamma Γ varDelta Δ varTheta Θ varLambda
    Λ varXi Ξ varPi Π varSigma Σ varPhi Φ varPsi Ψ varOmega Ω eps ε infty ∞ nabla ∇ partial ∂
    forall ∀ exists ∃ nexists ∄ emptyset ∅ varnothing ∅ ell ℓ hbar ℏ hslash ℏ Re ℜ Im ℑ aleph ℵ
    beth ℶ wp ℘ imath ı jmath ȷ prime ′ top ⊤ bot ⊥ neg ¬ lnot ¬ angle ∠ measuredangle ∡
    triangle △ square □ Box □ blacksquare ■ Diamond ◇ diamondsuit ♢ clubsuit ♣ heartsuit ♡
    spadesuit ♠ sharp ♯ flat ♭ natural ♮ bigstar ★ checkmark ✓ complement ∁ mho ℧ eth ð degree °
    dag † ddag ‡ S § P ¶ pounds £ euro € copyright © backslash \ ldots … dots … cdots ⋯ dotsc …
    dotsb ⋯ vdots ⋮ ddots ⋱ colon : vert | Vert ‖ lbrack [ rbrack ] lbrace { rbrace } surd √
    therefore ∴ because ∵ qed ∎ LaTeX LaTeX TeX TeX textmu µ textdegree ° textcelsius ℃ textpm ±
    texttimes × textdiv ÷ textregistered ® texttrademark ™ textcopyright © textemdash —
    textendash – textellipsis … textbullet • textquoteright ’ textquoteleft ‘ textquotedblleft “
    textquotedblright ” textquotesingle ' textasciitilde ~ textasciicircum ^ textbackslash \
    textunderscore _ textbar | textless < textgreater > textdollar $ textpercent % textnumero №
    textsection § textparagraph ¶ textdagger † textdaggerdbl ‡ texteuro € textsterling £ textyen
    ¥ textohm Ω textonehalf ½ lq ‘ rq ’ ohm Ω
    """
)
RELATIONS = _pairs(
    r"""
    le ≤ leq ≤ leqq ≦ leqslant ⩽ ge ≥ geq ≥ geqq ≧ geqslant ⩾ lt < gt > ne ≠ neq ≠ ll ≪ lll ⋘ gg
    ≫ ggg ⋙ nleq ≰ ngeq ≱ nless ≮ ngtr ≯ lesssim ≲ gtrsim ≳ lessgtr ≶ gtrless ≷ sim ∼ thicksim ∼
    simeq ≃ approx ≈ thickapprox ≈ approxeq ≊ cong ≅ ncong ≇ equiv ≡ asymp ≍ doteq ≐ doteqdot ≑
    triangleq ≜ coloneqq ≔ coloneq ≔ eqqcolon ≕ eqcolon ≕ propto ∝ varpropto ∝ prec ≺ preceq ⪯
    preccurlyeq ≼ precsim ≾ succ ≻ succeq ⪰ succcurlyeq ≽ succsim ≿ subset ⊂ subseteq ⊆
    subseteqq ⫅ subsetneq ⊊ nsubseteq ⊈ supset ⊃ supseteq ⊇ supsetneq ⊋ nsupseteq ⊉ sqsubset ⊏
    sqsubseteq ⊑ sqsupset ⊐ sqsupseteq ⊒ in ∈ notin ∉ ni ∋ mid | nmid ∤ parallel ∥ nparallel ∦
    perp ⟂ vdash ⊢ dashv ⊣ vDash ⊨ models ⊨ nvdash ⊬ nvDash ⊭ Vdash ⊩ bowtie ⋈ Join ⋈
    trianglelefteq ⊴ trianglerighteq ⊵ lhd ⊲ rhd ⊳ unlhd ⊴ unrhd ⊵ smile ⌣ frown ⌢ to →
    rightarrow → gets ← leftarrow ← leftrightarrow ↔ longrightarrow ⟶ longleftarrow ⟵
    longleftrightarrow ⟷ Rightarrow ⇒ Leftarrow ⇐ Leftrightarrow ⇔ Longrightarrow ⟹
    Longleftarrow ⟸ Longleftrightarrow ⟺ implies ⟹ impliedby ⟸ iff ⟺ mapsto ↦ longmapsto ⟼
    hookrightarrow ↪ hookleftarrow ↩ rightsquigarrow ⇝ leadsto ⇝ rightharpoonup ⇀
    rightharpoondown ⇁ leftharpoonup ↼ leftharpoondown ↽ rightleftharpoons ⇌ leftrightharpoons ⇋
    rightleftarrows ⇄ leftrightarrows ⇆ rightrightarrows ⇉ twoheadrightarrow ↠ rightarrowtail ↣
    dashrightarrow ⇢ nearrow ↗ searrow ↘ swarrow ↙ nwarrow ↖ nrightarrow ↛ nleftarrow ↚
    nRightarrow ⇏ multimap ⊸
    """
)
ARROWS_ALONE = _pairs(
    "uparrow ↑ downarrow ↓ updownarrow ↕ Uparrow ⇑ Downarrow ⇓ textuparrow ↑ textdownarrow ↓"
)
"""Arrows that stand beside a word or a number, as in `accuracy ↑`, and take no space of their
own."""
TIGHT = _pairs(
    "cdot · cdotp · centerdot · ast * star ⋆ circ ∘ bullet • setminus ∖ smallsetminus ∖ "
    "textperiodcentered ·"
)
"""Operators between which and their operands no space is wanted."""
BINARY = _pairs(
    r"""
    times × div ÷ pm ± mp ∓ cup ∪ cap ∩ uplus ⊎ sqcup ⊔ sqcap ⊓ wedge ∧ land ∧ vee ∨ lor ∨ oplus
    ⊕ ominus ⊖ otimes ⊗ oslash ⊘ odot ⊙ boxplus ⊞ boxtimes ⊠ diamond ⋄ amalg ⨿ dagger † ddagger
    ‡ wr ≀ ltimes ⋉ rtimes ⋊ Cup ⋓ Cap ⋒ barwedge ⊼ veebar ⊻ triangleleft ◁ triangleright ▷
    bigcirc ◯ bigtriangleup △ bigtriangledown ▽ bmod mod
    """
)
LARGE = _pairs(
    r"""
    sum ∑ prod ∏ coprod ∐ int ∫ iint ∬ iiint ∭ oint ∮ bigcup ⋃ bigcap ⋂ bigsqcup ⨆ bigvee ⋁
    bigwedge ⋀ bigoplus ⨁ bigotimes ⨂ bigodot ⨀ biguplus ⨄
    """
)
FUNCTIONS = {
    name: name
    for name in """
    arccos arcsin arctan arg cos cosh cot coth csc deg det dim exp gcd hom inf ker lg lim ln log
    max min Pr sec sin sinh sup tan tanh argmax argmin softmax polylog poly rank diag tr sign sgn
    """.split()
} | {"liminf": "lim inf", "limsup": "lim sup", "injlim": "inj lim", "projlim": "proj lim"}
"""The functions of LaTeX, and some of which everybody's macro has the same name."""
BIG_O = {"Oh": "O", "bigO": "O", "BigO": "O", "bigOh": "O", "Order": "O", "oh": "o"}
"""Everybody's macros for Landau's symbol; a group behind them holds what is bounded."""
OPENING = _pairs("lfloor ⌊ lceil ⌈ langle ⟨ lvert | lVert ‖ llbracket ⟦ ulcorner ⌜ lparen (")
CLOSING = _pairs("rfloor ⌋ rceil ⌉ rangle ⟩ rvert | rVert ‖ rrbracket ⟧ urcorner ⌝ rparen )")
ESCAPES = {character: character for character in "%&_#${}"}

MATH_ACCENTS = {
    name: chr(code)
    for name, code in {
        "hat": 0x302, "widehat": 0x302, "tilde": 0x303, "widetilde": 0x303, "bar": 0x304,
        "vec": 0x20D7, "dot": 0x307, "ddot": 0x308, "check": 0x30C, "widecheck": 0x30C,
        "breve": 0x306, "acute": 0x301, "grave": 0x300,
        "mathring": 0x30A, "overline": 0x305, "overrightarrow": 0x20D7, "~": 0x303, "^": 0x302,
        "overleftrightarrow": 0x20E1,
    }.items()
}  # fmt: skip
OVERLINE = MATH_ACCENTS["overline"]

SPACES = frozenset(
    (",", ":", ";", ">", " ", "\n", "\t", *"quad qquad enspace thinspace space enskip".split())
)
NOTHING = frozenset(("!", "-", "/", "@", "negthinspace", "relax", "protect", "null"))
DECLARATIONS = frozenset(
    """
    em bf it rm sf tt sc sl itshape bfseries ttfamily sffamily rmfamily scshape upshape slshape
    mdseries normalfont tiny scriptsize footnotesize small normalsize large Large LARGE huge
    Huge displaystyle textstyle scriptstyle scriptscriptstyle boldmath unboldmath noindent
    xspace centering limits nolimits itbf
    """.split()
)
SIZES = frozenset(
    """
    left right middle big Big bigg Bigg bigl Bigl biggl Biggl bigr
    Bigr biggr Biggr bigm Bigm biggm Biggm
    """.split()
)
TEXT_WRAPPERS = frozenset(
    """
    text textbf textit textrm texttt textsf textsc textsl textup textnormal textmd emph mbox
    hbox underline enquote uline makebox fbox
    """.split()
)
MATH_WRAPPERS = frozenset(
    """
    mathbf bm boldsymbol pmb mathit mathsf mathtt mathrm mathnormal operatorname operatorname*
    mathop mathord mathinner mathbin mathrel mathpunct underline ensuremath boldmath mathsfit
    mathbfit mathstrut smash
    """.split()
)
WORDS = frozenset(
    """
    mathrm mathsf mathtt mathit operatorname operatorname* mathop text
    textrm mbox texttt textsf
    """.split()
)
"""Wrappers whose content is a word when it has more than one letter: it keeps off its
neighbours."""
CITATIONS = frozenset(
    """
    cite citep citet citeA citealp citealt citeauthor citeyear
    Citet Citep autocite parencite textcite
    """.split()
)
REFERENCES = frozenset("ref eqref cref Cref autoref Autoref nameref pageref vref".split())
"""References within the paper; LaTeX alone knows the number, so that the label stands for it."""
ACRONYMS = dict.fromkeys(
    "gls Gls GLS glsfirst acrshort acrlong acrfull ac Ac acs acl acf".split(), ""
) | dict.fromkeys(
    "glspl Glspl GLSpl acrshortpl acrlongpl acrfullpl acp Acp acsp aclp acfp".split(), "s"
)
"""What the packages glossaries and acronym turn into words, and what is added to those; the key, as
a rule the acronym itself, stands for them."""
ABBREVIATIONS = {
    "eg": "e.g.", "Eg": "E.g.", "ie": "i.e.", "Ie": "I.e.", "cf": "cf.", "Cf": "Cf.",
    "etc": "etc.", "vs": "vs.", "wrt": "w.r.t.", "dof": "d.o.f.", "etal": "et al.",
    "aka": "a.k.a.", "iid": "i.i.d.", "viz": "viz.", "resp": "resp.", "whp": "w.h.p.",
}  # fmt: skip
"""Macros of many paper templates (those of CVPR, among others), which print their own full stop."""
FRACTIONS = frozenset("frac tfrac dfrac cfrac nicefrac sfrac".split())
BINOMIALS = frozenset("binom tbinom dbinom".split())

_EXCEPTIONS = {
    "mathcal": {
        "B": "ℬ", "E": "ℰ", "F": "ℱ", "H": "ℋ", "I": "ℐ", "L": "ℒ",
        "M": "ℳ", "R": "ℛ", "e": "ℯ", "g": "ℊ", "o": "ℴ",
    },
    "mathbb": {"C": "ℂ", "H": "ℍ", "N": "ℕ", "P": "ℙ", "Q": "ℚ", "R": "ℝ", "Z": "ℤ"},
    "mathfrak": {"C": "ℭ", "H": "ℌ", "I": "ℑ", "R": "ℜ", "Z": "ℨ"},
}  # fmt: skip
"""Letters that Unicode had before it took in the whole alphabets."""


def _alphabet(name: str, capitals: int, digits: int = 0) -> dict[str, str]:
    letters = {chr(65 + i): chr(capitals + i) for i in range(26)}
    letters |= {chr(97 + i): chr(capitals + 26 + i) for i in range(26)}
    if digits:
        letters |= {chr(48 + i): chr(digits + i) for i in range(10)}
    return letters | _EXCEPTIONS[name]


ALPHABETS = {
    "mathcal": _alphabet("mathcal", 0x1D49C),
    "mathbb": _alphabet("mathbb", 0x1D538, 0x1D7D8),
    "mathfrak": _alphabet("mathfrak", 0x1D504),
}
ALPHABETS |= {
    "mathscr": ALPHABETS["mathcal"], "cal": ALPHABETS["mathcal"], "Bbb": ALPHABETS["mathbb"],
    "mathds": ALPHABETS["mathbb"], "mathbbm": ALPHABETS["mathbb"], "frak": ALPHABETS["mathfrak"],
}  # fmt: skip

SUPERSCRIPTS = dict(
    zip(
        "0123456789+-=()abcdefghijklmnoprstuvwxyzABDEGHIJKLMNOPRTUVW∗*′†‡⋆∘⊤",
        "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁼⁽⁾ᵃᵇᶜᵈᵉᶠᵍʰⁱʲᵏˡᵐⁿᵒᵖʳˢᵗᵘᵛʷˣʸᶻᴬᴮᴰᴱᴳᴴᴵᴶᴷᴸᴹᴺᴼᴾᴿᵀᵁⱽᵂ**′†‡⋆°ᵀ",
        strict=True,
    )
)
SUBSCRIPTS = dict(
    zip(
        "0123456789+-=()aehijklmnoprstuvxβγρφχ",
        "₀₁₂₃₄₅₆₇₈₉₊₋₌₍₎ₐₑₕᵢⱼₖₗₘₙₒₚᵣₛₜᵤᵥₓᵦᵧᵨᵩᵪ",
        strict=True,
    )
)
