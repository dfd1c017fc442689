# ruff: noqa: E501 - a pattern is checked more easily on one line
"""Patterns that identify anybody: dates, phone numbers, record numbers, addresses, hospitals, clinicians.

Belongs here: what Presidio looks for; how it is set up is `deid.text.engine`. The subject's own identifiers are
`deid.text.identifiers`, the words that may stay are `deid.text.vocabulary`.
"""

from typing import NamedTuple

_MONTHS = (
    r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?|"
    r"nov(?:ember)?|dec(?:ember)?|januar|februar|m[aä]rz|mai|juni|juli|oktober|dezember|janvier|f[eé]vrier|mars|avril|"
    r"juin|juillet|ao[uû]t|septembre|octobre|novembre|d[eé]cembre|enero|febrero|marzo|abril|mayo|junio|julio|agosto|"
    r"sep?tiembre|octubre|noviembre|diciembre|gennaio|febbraio|aprile|maggio|giugno|luglio|settembre|ottobre|dicembre|"
    r"janeiro|fevereiro|mar[cç]o|maio|junho|julho|setembro|outubro|novembro|dezembro|januari|februari|maart|mei|"
    r"augustus|stycznia|lutego|marca|kwietnia|maja|czerwca|lipca|sierpnia|wrze[sś]nia|pa[zź]dziernika|listopada|"
    r"grudnia)"
)
_MONTHS_NAMED = _MONTHS.replace("|may|", "|(?-i:May|MAY)|").replace("mar(?:ch)?", "(?-i:[Mm]ar|March|MARCH)")
"""Months beside words, where `may` and `march` in lower case are verbs."""
_OF = r"(?:(?:of|the|de|del|di|den)\s+)*"
_UNITS = r"(?:one|two|three|four|five|six|seven|eight|nine)"
_ORDINALS = (
    r"(?:(?:(?:twenty|thirty)[\s-]+)?(?:first|second|third|fourth|fifth|sixth|seventh|eighth|ninth)|tenth|eleventh|"
    r"twelfth|thirteenth|fourteenth|fifteenth|sixteenth|seventeenth|eighteenth|nineteenth|twentieth|thirtieth)"
)
_YEAR_WORDS = (
    r"(?:(?:nineteen|twenty|two\s+thousand)(?:[\s-]+(?:and|oh|hundred|ten|eleven|twelve|thirteen|fourteen|fifteen|"
    rf"sixteen|seventeen|eighteen|nineteen|twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety|{_UNITS}))*)"
)
_OVER_89 = r"(?:9\d|1[0-4]\d)"
_OVER_89_WORDS = rf"(?:ninety(?:[\s-]+{_UNITS})?|(?:(?:one|a)\s+)?hundred(?:(?:\s+and)?[\s-]+{_UNITS})?)"
_GAP = r"[\s./~,·•_\u2013\u2014-]"
"""What may stand between the groups of a number that was written apart."""
_HAN_NUMBER = r"(?:\d{1,4}|[〇零一二三四五六七八九十元]{1,4})"
_EDGE, _END = r"(?<![A-Za-z0-9])", r"(?![A-Za-z0-9])"
_MARK, _COMMA = r"\s*+(?:[:#]\s*+)?", r"\s*+(?:,\s*+)?"
_NUMBER = r"(?:\s*+(?:no\.?|nr\.?|number|num|id|#))?\s*+(?:[:=#-]\s*+)?"
_SKIP = "(*SKIP)"
"""Where what follows fails, the search goes on from here and not from the next character.

It stands behind runs in which a later beginning would come to the same end and fail for the same reason: tried one by
one, they would take the square of a run's length. With that, and with repeats that give nothing back (`++`) where two
of them meet, each pattern takes time in proportion to a text.
"""
_NAME_WORD = r"[A-ZÀ-ÖØ-Þ][\w\u2019'-]*\.?"
_NAME_GAP = r"[ \t]++"
_FIRST_NAME = rf"\b[A-ZÀ-ÖØ-Þ][\w\u2019'-]*+{_SKIP}\.?{_NAME_GAP}"
_MORE_NAME = rf"[A-ZÀ-ÖØ-Þ][\w\u2019'-]*+\.?{_NAME_GAP}"
_PARTICLE = rf"(?:(?:of|for|and|the|&){_NAME_GAP})?"
_TOP = rf"\.(?:com|org|net|edu|gov|mil|int|info|de|uk|fr|eu|ch){_END}"
_CITY = r"(?:\b[A-Z][a-z]++,?\s++)"
_STREET = r"(?:street|avenue|road|boulevard|drive|lane|court|parkway|highway|terrace|stra[sß]e|platz|allee|rue|calle)"
_STATES = (
    "A[LKZR]|C[AOT]|D[CE]|FL|GA|HI|I[DLNA]|K[SY]|LA|M[EDAINSOT]|N[EVHJMYCD]|O[HKR]|PA|RI|S[CD]|T[NX]|UT|V[TA]|W[AVIY]"
)
_INSTITUTIONS = (
    r"(?:hospitals?|clinics?|medical\s+cent(?:er|re)|health\s+(?:system|cent(?:er|re))|infirmary|hospice|klinikum|"
    r"krankenhaus|h[oô]pital|ospedale|universit(?:y|ies|[aä]t|[eé])|institute|sanatorium)"
)


class Pattern(NamedTuple):
    """A named pattern: what it finds, the regular expression, how sure a match is, and whether case counts."""

    entity: str
    name: str
    regex: str
    score: float
    cased: bool = False


PATTERNS: tuple[Pattern, ...] = (
    Pattern("DATE", "year first", rf"{_EDGE}(?:19|20)\d\d([-/._ ])(?:0?[1-9]|1[0-2])\1(?:0?[1-9]|[12]\d|3[01]){_END}", 0.9),
    Pattern("DATE", "year last", rf"{_EDGE}\d{{1,2}}(\s?[-/._\u2013\u2014]\s?|\s)\d{{1,2}}\1['\u2019]?(?:(?:18|19|20)\d\d|\d\d){_END}(?!\1\d)", 0.8),
    Pattern("DATE", "digits", r"(?<!\d)(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])(?!\d{4})", 0.7),
    Pattern("DATE", "month and year", rf"{_EDGE}(?:0?[1-9]|1[0-2])/(?:19|20)\d\d{_END}", 0.7),
    Pattern("DATE", "year and month", rf"{_EDGE}(?:19|20)(?!00|50)\d\d[/.](?:0?[1-9]|1[0-2]){_END}(?!\.\d)", 0.7),
    Pattern("DATE", "week or day of a year", rf"{_EDGE}(?:19|20)(?!00|50)\d\d-?(?:W[0-5]\d(?:-?[1-7])?|-(?:[0-2]\d\d|3[0-6]\d)){_END}", 0.8),
    Pattern("DATE", "day of a month", rf"{_EDGE}(?:on|since|from|until|till|before|after|by)\s+the\s+\d{{1,2}}(?:st|nd|rd|th)(?!\s+[a-z])", 0.6),
    Pattern("DATE", "month word", rf"{_EDGE}(?:\d{{1,2}}(?:st|nd|rd|th)?[\s.,-]*{_OF})?{_MONTHS}[\s.,-]*{_OF}['\u2019]?\d{{1,4}}(?:st|nd|rd|th)?(?:[\s.,-]+['\u2019]?(?:19|20)?\d\d)?{_END}", 0.9),
    Pattern("DATE", "day and month word", rf"{_EDGE}\d{{1,2}}(?:st|nd|rd|th)?[\s.,-]*{_OF}{_MONTHS}{_END}", 0.8),
    Pattern("DATE", "in words", rf"{_EDGE}(?:{_ORDINALS}\s+(?:(?:of|the)\s+)*{_MONTHS}|{_MONTHS_NAMED}\s+(?:the\s+)?{_ORDINALS})(?:[\s,]+(?:{_YEAR_WORDS}|\d{{4}}))?{_END}", 0.9),
    Pattern("DATE", "month and year in words", rf"{_EDGE}(?:\d{{1,2}}(?:st|nd|rd|th)?\s+{_OF})?{_MONTHS}[\s,]+(?:of\s+)?{_YEAR_WORDS}{_END}", 0.9),
    Pattern("DATE", "month in Roman numerals", r"(?<![\w.])\d{1,2}[./ -]\s?(?:I{1,3}|I?V|VI{1,3}|I?X|XI{1,2})[./ -]\s?(?:19|20)\d\d(?!\d)", 0.9, True),
    Pattern("DATE", "East Asian", rf"{_HAN_NUMBER}\s?[年년]\s?{_HAN_NUMBER}\s?[月월](?:\s?{_HAN_NUMBER}\s?[日号號일])?|{_HAN_NUMBER}\s?[月월]\s?{_HAN_NUMBER}\s?[日号號일]", 0.9),
    Pattern("AGE", "age over 89", rf"{_EDGE}0?{_OVER_89}[\s-]*(?:y(?:ea)?rs?|y/?o|y|jahren?|jährig\w*|jaar|ans|a[nñ]os|anni)(?:[\s-]*(?:old|of\s+age))?{_END}", 0.9),
    Pattern("AGE", "age word over 89", rf"{_EDGE}(?:ages?d?|alter|[aâ]ge|edad|et[aà]|leeftijd)(?:\s+(?:of|is|was|at))?\s*+(?:\([a-z]+\)\s*+)?(?:[:=]\s*+)?{_OVER_89}{_END}", 0.9),
    Pattern("AGE", "age and sex", rf"{_EDGE}{_OVER_89}(?:\s?[/-]\s?|\s?)[FM]{_END}", 0.7, True),
    Pattern("AGE", "age over 89 in words", rf"{_EDGE}(?:{_OVER_89_WORDS}[\s-]*(?:years?|yrs?)(?:[\s-]*old)?|aged?(?:\s+of)?\s+{_OVER_89_WORDS}|nineties|(?:nonagen|(?:super)?centen)arian){_END}", 0.9),
    Pattern("AGE", "birthday over 89", rf"{_EDGE}(?:{_OVER_89}(?:st|nd|rd|th)|ninet(?:ieth|y[\s-]+{_ORDINALS})|hundredth)\s+(?:birthday|year){_END}", 0.9),
    Pattern("AGE", "months over 89 years", rf"{_EDGE}1(?:0[89]|[1-9]\d)\d[\s-]*(?:months?|monate|mois|meses|mesi){_END}", 0.9),
    Pattern("PHONE", "international", r"(?<![\w+])\+\d{1,3}[\s().-]*\d(?:[\s().-]*\d){6,12}(?!\d)", 0.9),
    Pattern("PHONE", "north american", r"(?<![\w.])\(?\d{3}\)?[\s.-]?\d{3}[\s.-]\d{4}(?!\d)", 0.8),
    Pattern("PHONE", "north american, written apart", rf"(?<![\w.])\(?\d{{3}}\)?{_GAP}{{1,3}}\d{{3}}{_GAP}{{1,3}}\d{{4}}(?!\d)", 0.8),
    Pattern("PHONE", "with a leading zero", rf"(?<![\w.])0\d{{1,4}}(?:{_GAP}{{1,3}}\d{{2,5}}){{2,6}}(?!\d)", 0.7),
    Pattern("PHONE", "labelled", rf"{_EDGE}(?:tel|phone|fax|pager|mobile|cell|ext|call)\b\.?{_MARK}\(?\d[\d\s().-]{{2,}}\d", 0.9),
    Pattern("PHONE", "local", r"(?<![\w.-])\d{3}-\d{4}(?![\w-])", 0.6),
    Pattern("SSN", "social security number", rf"(?<![\w-])\d{{3}}{_GAP}\d{{2}}{_GAP}\d{{4}}(?![\w-])", 0.9),
    Pattern("EMAIL", "e-mail address", rf"[\w.+-]++{_SKIP}\s?@\s?[\w-]++(?:\.[\w-]++)++", 1.0),
    Pattern("EMAIL", "e-mail address in words", rf"[\w.+-]++{_SKIP}(?:\s*[(\[{{<]\s*at\s*[)\]}}>]\s*[\w-]+(?:\s*(?:\.|[(\[{{<]\s*dot\s*[)\]}}>]|\bdot\b)\s*[\w-]+)*|\s+at\s+[\w-]+(?:\s+dot\s+[\w-]+)+)", 1.0),
    Pattern("EMAIL", "name at a place", rf"(?<!\w)[A-Za-z][\w.+-]*+{_SKIP}@[A-Za-z]{{2}}[\w-]*|(?<![\w@])@[A-Za-z][\w.]{{2,}}", 0.9),
    Pattern("URL", "web address", r"(?:https?://|ftp://|www\.)\S+", 1.0),
    Pattern("URL", "host name", rf"{_EDGE}[\w-](?:(?:[\w-]*+(?:(?!{_TOP})\.[\w-]++)*+{_TOP})++|[\w-]*+(?:\.[\w-]++)*+{_SKIP}(*FAIL))", 0.7),
    Pattern("URL", "path of a host", rf"(?<![\w/])[A-Za-z][\w-]*+{_SKIP}(?:\.[A-Za-z][\w-]++)++{_SKIP}(?::\d+)?/\S*|(?<![\w:/])//[\w.-]+/\S+|\\\\[\w.-]+\\\S+", 0.8),
    Pattern("IP", "internet address, version 6", r"(?<![\w:])(?=[\d:]*[A-Fa-f]|[\d:]*::)(?:[0-9A-Fa-f]{1,4}:{1,2}){3,7}[0-9A-Fa-f]{1,4}(?![\w:])", 0.8),
    Pattern("IP", "internet address", r"(?<![\d.])(?=\d{2})(?:\d{1,3}\.){3}\d{1,3}(?!\.?\d)", 0.6),
    Pattern("IP", "hardware address", r"(?<![\w:])(?:[0-9A-Fa-f]{2}[:-]){5}[0-9A-Fa-f]{2}(?![\w:])", 0.9),
    Pattern("ID", "unique identifier", r"(?<![\d.])[0-2](?:\.\d+){4,}(?!\.?\d)", 1.0),
    Pattern("ID", "record number", rf"{_EDGE}(?:mrn|m\.r\.n\.?|med(?:ical)?\.?\s*rec(?:ord)?|pat(?:ient)?\.?\s*(?:id|no|nr|number)|pid|chart|case|visit|encounter){_NUMBER}[A-Za-z]{{0,4}}[-\s]?\d[\w-]*", 0.9),
    Pattern("ID", "accession number", rf"{_EDGE}(?:acc(?:ession)?|acsn|a/n|order|requisition|specimen){_NUMBER}[A-Za-z]{{0,4}}[-\s]?\d[\w-]*", 0.9),
    Pattern("ID", "licence number", rf"{_EDGE}(?:npi|dea|license|licence|lic|insurance|policy|member|account|acct|serial|s/n|vin|plate|passport|ssn|nhs|medicare|medicaid|national\s+id){_NUMBER}[A-Za-z]{{0,4}}[-\s]?\d[\w-]*", 0.9),
    Pattern("ID", "long number", r"(?<![\d.])\d{5,}+(?!\.\d)", 0.6),
    Pattern("ID", "long number with a fraction", r"(?<![\d.])\d{7,}\.\d+", 0.6),
    Pattern("ID", "digits one by one", r"(?<![\w.])\d([\s._/-])\d(?:\1\d){5,}(?!\w)", 0.6),
    Pattern("ID", "letters and digits", r"(?<![A-Za-z0-9])(?!b\d{3,5}(?![A-Za-z0-9])|\d{4}(?:mm|ms|hz|s)\b)(?=[A-Za-z]*\d)(?=\d*[A-Za-z])[A-Za-z0-9]*\d{4,}[A-Za-z0-9]*(?![A-Za-z0-9])", 0.5),
    Pattern("ADDRESS", "street", rf"{_EDGE}\d{{1,6}}[A-Za-z]?\s++(?:[\w.\u2019'-]++\s++){{1,4}}?{_STREET}\b\.?(?:{_COMMA}(?:apt|suite|ste|unit|room|rm|floor|fl|#)\.?\s*\w+)?", 0.8),
    Pattern("ADDRESS", "street, short", r"\b\d{1,6}[A-Za-z]?\s++(?:[\w.\u2019'-]++\s++){1,4}?(?:St|Ave|Rd|Blvd|Dr|Ln|Ct|Pl|Sq|Way|Pkwy|Hwy|Ter|Cir)\b\.?", 0.8, True),
    Pattern("ADDRESS", "street in full", rf"\b[A-ZÀ-Þ][\w\u2019'-]++{_SKIP}\s++(?:[A-ZÀ-Þ][\w\u2019'-]++\s++){{0,2}}(?:Street|Avenue|Road|Boulevard|Lane|Parkway|Highway|Stra[sß]e|Platz)\b(?:\s+\d+\w?)?", 0.8, True),
    Pattern("ADDRESS", "where somebody lives", rf"{_EDGE}(?:liv(?:es?|ed|ing)|resid(?:es?|ed|ing))\s+(?:at|(?:in|on|near)(?!\s+(?:the|an?|his|her|their)\b))\s+[^.,;:\n]{{2,60}}", 0.7),
    Pattern("ADDRESS", "labelled", rf"{_EDGE}(?:post(?:al)?\s?code|zip(?:\s?code)?|plz|apartment)\b[\s.:#]*\w{{1,5}}(?:\s\d\w{{2}}\b)?", 0.8),
    Pattern("ADDRESS", "coordinates", r"(?<![\w.])[-+]?\d{1,3}\.\d{4,}\s?[°NS]*\s?[,;/ ]\s?[-+]?\d{1,3}\.\d{4,}(?![\w.])", 0.7),
    Pattern("ADDRESS", "post box", rf"{_EDGE}p\.?\s?o\.?\s?box\s+\d+", 0.9),
    Pattern("ADDRESS", "state and zip", rf"{_CITY}*+\b(?:{_STATES}){_COMMA}(?:US{_COMMA})?\d{{5}}(?:-\d{{4}})?\b|{_CITY}++{_SKIP}(*FAIL)", 0.9, True),
    Pattern("ADDRESS", "zip plus four", r"(?<![\w-])\d{5}-\d{4}(?![\w-])", 0.9),
    Pattern("ADDRESS", "city and state", rf"\b(?:[A-Z][a-z]+\s+){{0,2}}[A-Z][a-z]+,\s*(?:{_STATES})\b", 0.8, True),
    Pattern("ADDRESS", "room", rf"{_EDGE}(?:room|rm|ward|suite|bldg|building|floor)\.?{_MARK}[A-Za-z]{{0,2}}\d\w*", 0.7),
    Pattern("INSTITUTION", "named institution", rf"{_FIRST_NAME}{_PARTICLE}(?:{_MORE_NAME}{_PARTICLE}){{0,4}}(?i:{_INSTITUTIONS})\b", 0.8, True),
    Pattern("INSTITUTION", "institution of", rf"\b(?i:{_INSTITUTIONS})\s+(?:of|for|at|de|di|der)\s+(?:(?:the)\s+)?{_NAME_WORD}(?:[ \t]+{_NAME_WORD}){{0,3}}", 0.8, True),
    Pattern("NAME", "title", rf"\b(?:(?:Mrs?|MRS|Ms|Miss|Mister|Drs?|DR|Prof|PROF|Professor|Doctor|DOCTOR|Herr|Frau|Mme|Mlle|Sra?)\b\.?[\s,_^]*|(?:MR|MS)\.\s?)(?:{_NAME_WORD}[ \t,]*){{1,3}}", 0.8, True),
    Pattern("NAME", "title in lower case", rf"{_EDGE}(?:(?:mrs|dr|prof|doctor)\.?|mr\.|ms\.)\s+[^\W\d_]{{2,}}", 0.7),
    Pattern("NAME", "degree", rf"{_FIRST_NAME}(?:{_MORE_NAME}){{0,2}}{_NAME_WORD}[ \t]*+(?:,[ \t]*+)?(?:M\.?D|D\.?O|Ph\.?D|R\.?N|FRCR|MBBS|R\.?T|P\.?A|N\.?P)\b\.?", 0.9, True),
    Pattern("NAME", "person name of a header", r"\b[^\W\d_]{2,}\^[^\W\d_]+(?:\^[^\W\d_]*)*", 1.0),
    Pattern("NAME", "last, first", rf"\b[A-Z][A-Za-z\u2019'-]++{_SKIP},\s+[A-Z][a-z]+(?:\s+[A-Z]\.?)?(?=\s*(?:$|[.;:)\n(]|MRN|DOB))", 0.6, True),
    Pattern("NAME", "role", rf"\b(?i:patient|pt|name|physician|radiologist|technologist|tech|operator|referr(?:ed|ing)(?:\s+by)?|reported\s+by|read\s+by|signed(?:\s+by)?|dictated\s+by|interpreted\s+by|performed\s+by|seen\s+by|attending|resident)\s*+(?:name\s*+)?[:=]\s*+(?:{_NAME_WORD}[ \t,]*){{1,4}}", 0.8, True),
    Pattern("NAME", "initials", r"(?<![\w.])(?:[A-Z]\.\s?){2,3}(?![\w])", 0.6, True),
)  # fmt: skip
"""Every pattern; `cased` ones need their capitals, the others match in any case."""
