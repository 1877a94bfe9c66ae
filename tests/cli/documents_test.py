#!/usr/bin/env python3
"""What README, ARCHITECTURE and CONTRIBUTING name exists: files, make targets, verbs, flags, keys, functions.

Every piece of code in a document (between back quotes, or a line indented by four) is told apart by its
form and looked up where that kind of thing is defined: the tree, the Makefile, `bench --help`, the sources.
Each rule is tried on wrong twins first.
"""
import functools
import glob
import os
import re
import subprocess
import sys

from bench_runner import BENCH, ROOT, bench, check, environment, run_tests, write

DOCUMENTS = ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md"]
# Targets that other targets call; every other phony one is meant for people and stands in `make help`.
INNER_TARGETS = {"force", "deps-test", "deps-fuzz", "deps-services", "fuzz-run", "test-build", "test-run"}
EXAMPLES = {"my-service", "service_worker.py"}  # of a reader's own, not of the tree
ENDINGS = r"\.(?:c|h|py|md|yaml|json|csv|sqlite|svg|png|html|gp|safetensors|npy)$"


def read(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as f:
        return f.read()


@functools.lru_cache(None)
def sources():
    """The text of everything that is compiled, configured or run, without the documents and the tests."""
    paths = []
    for folder in ("bench", "kernels", "tuner", "configs", "plots"):
        for base, _, names in os.walk(os.path.join(ROOT, folder)):
            paths += [os.path.join(base, name) for name in names if not name.endswith(".png")]
    texts = []
    for path in sorted(paths):
        with open(path, encoding="utf-8", errors="replace") as f:
            texts.append(f.read())
    return "\n".join(texts)


@functools.lru_cache(None)
def literals():
    """Every string literal of the C sources, in one text: names of what `bench` writes stand there."""
    return "\n".join(re.findall(r'"((?:[^"\\\n]|\\.)*)"', sources()))


@functools.lru_cache(None)
def help_of(verb):
    words = [verb, "--help"] if verb else ["--help"]
    done = subprocess.run([BENCH, *words], env=environment(), stdout=subprocess.PIPE, universal_newlines=True,
                          timeout=60)
    return done.stdout if done.returncode == 0 else ""


@functools.lru_cache(None)
def verbs():
    return re.findall(r"^  ([a-z]+) ", help_of(""), re.M)


def has_flag(verb, flag):
    listed = re.search(r"^ +%s\b(?!-)" % re.escape(flag), help_of(verb), re.M)
    return flag in ("--help", "--version") or listed


@functools.lru_cache(None)
def phony_targets(makefile=None):
    text = (makefile or read("Makefile")).replace("\\\n", " ")
    return {name for line in re.findall(r"^\.PHONY:(.*)$", text, re.M) for name in line.split()}


def placeholders(text):
    """NAME, FILE and the like stand for anything."""
    return re.sub(r"(?<![A-Za-z])(?:NAME|FILE|VERB|COMMAND|VARIANT-CC)(?![A-Za-z])", "*", text)


def has_file(name):
    """A path of the tree, the name of a file somewhere in it, or a file that the program writes."""
    name = placeholders(name.strip("/"))
    base = os.path.basename(name)
    if EXAMPLES & {base, os.path.splitext(base)[0]}:
        return os.path.dirname(name) == "" or os.path.isdir(os.path.join(ROOT, os.path.dirname(name)))
    if glob.glob(os.path.join(ROOT, name)):
        return True
    if "/" not in name and glob.glob(os.path.join(ROOT, "**", name), recursive=True):
        return True
    if name == default_programs():
        return True
    written = re.sub(r"^results/|/\*.*$|^\*\.", "", name)
    return re.search(r"(?:^|[\s/%%s])%s(?:$|[\s/%%s:])" % re.escape(written), literals(), re.M) is not None


def default_programs():
    """BUILD/VARIANT-CC/bin as the Makefile presets them."""
    makefile = read("Makefile")
    build, variant = (re.search(r"^%s +\?= (\S+)" % name, makefile, re.M).group(1)
                      for name in ("BUILD", "VARIANT"))
    return "%s/%s-%s/bin" % (build, variant, re.search(r"^CC := (\S+)", makefile, re.M).group(1))


def wrong_with_make(words):
    """make [-options] [NAME=value] TARGET..."""
    known = phony_targets()
    return ["make has no target %s" % w for w in words if not re.match(r"-|\w+=", w) and w not in known]


def wrong_with_bench(words):
    """bench [VERB] [--flags]: without a verb it is tune."""
    verb = words[0] if words and not words[0].startswith("-") else ""
    if verb and verb.isupper():
        return []
    if verb and verb not in verbs():
        return ["bench has no verb %s" % verb]
    return ["bench %s has no flag %s" % (verb, w) for w in words
            if w.startswith("--") and not has_flag(verb or "tune", w)]


def wrong_with_command(line):
    """One command line, perhaps several commands, with `# ...` behind them."""
    wrong = []
    for command in re.split(r"&&|;", line.split(" #")[0]):
        words = [w for w in command.split()]
        while words and re.match(r"[A-Z_]+=", words[0]):
            words.pop(0)
        if not words:
            continue
        if words[0] == "make":
            wrong += wrong_with_make(words[1:])
        elif words[0] == "bench":
            wrong += wrong_with_bench(words[1:])
        elif "/" in words[0] and not has_file(words[0]):
            wrong.append("there is no %s" % words[0])
    return wrong


def wrong_with(code):
    """What does not exist of a piece of code between back quotes; an empty list: all does."""
    words = code.split()
    if not words:
        return []
    if re.match(r"(?:[A-Z_]+=\S+ )*(?:make|bench)\b(?! \S*[|])", code) and len(words) > 1:
        return wrong_with_command(code)
    if len(words) > 1 and "/" in words[0] and " " in code:
        return wrong_with_command(code)
    if code.startswith("--"):
        return [] if any(has_flag(v, words[0]) for v in verbs()) else ["no verb has the flag %s" % words[0]]
    if re.search(r"[(]|^(?:struct|enum) ", code):
        names = re.findall(r"[a-z]\w*_[a-zA-Z_]+|(?<=struct )\w+|(?<=enum )\w+", code)
        return ["no source has %s" % n for n in names if not has_word(n)]
    if "->" in code:
        return ["there is no %s" % name for name in re.findall(r"[\w.]+/[\w./]*", code) if not has_file(name)]
    if code.startswith("/"):
        preset = re.search(r"\?= %s$" % re.escape(code), read("Makefile"), re.M)
        return [] if preset else ["no preset is %s" % code]
    if "/" in code or re.search(ENDINGS, code):
        return [] if has_file(code) else ["there is no file %s" % code]
    return [] if has_word(code) or code in phony_targets() else ["nothing is called %s" % code]


def has_word(name):
    pattern = re.escape(placeholders(name)).replace(r"\*", r"\w+")
    return re.search(r"(?<!\w)%s(?!\w)" % pattern, sources() + read("Makefile")) is not None


def pieces(text):
    """(line number, code, whether it is a line of a block) of everything in a document that is code."""
    fenced = False
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("```"):
            fenced = not fenced
        elif fenced or line.startswith("    "):
            yield number, line.strip(), True
        else:
            for code in re.findall(r"`([^`]+)`", line):
                yield number, code, False


def wrong_in(name, text):
    wrong = []
    for number, code, block in pieces(text):
        found = wrong_with_command(code) if block and re.match(r"(?:make|bench|apt-get)\b", code) else \
            [] if block else wrong_with(code)
        wrong += ["%s:%d: %s" % (name, number, text) for text in found]
    return wrong


TWINS = ["make polish", "VARIANT=san make chekc", "bench tunes --all-models", "bench tune --al-models",
         "bench --batch 4", "--bugdet", "bench/measure/campain.c", "engines.h", "kernels/worker/mein_NAME.c",
         "results/bench.sqlit", "struct engin", "enum status vreb_NAME(...)", "worker_mein", "BENCH_CPU_ISO",
         "build/release-clang/bin", "tests/cli/worker-conformence python3 service_worker.py", "/usr/lokal",
         "tests -> bench -> kernels/bass"]
RIGHT = ["make check", "VARIANT=san make check", "bench tune --all-models", "bench --batches 4", "--budget",
         "bench/measure/campaign.c", "engine.h", "kernels/worker/main_NAME.c", "results/bench.sqlite",
         "struct engine",
         "enum status verb_NAME(...)", "worker_main", "BENCH_CPU_ISA", "build/release-gcc/bin",
         "tests/cli/worker-conformance python3 service_worker.py", "/usr/local",
         "tests -> bench -> kernels/base"]


def wrong_twins_are_refused(folder):
    """a name with one letter wrong is refused, and the right one beside it is not"""
    for code in TWINS:
        check(wrong_with(code), "`%s` was taken for something that exists" % code)
    for code in RIGHT:
        check(not wrong_with(code), "`%s`: %s" % (code, "; ".join(wrong_with(code))))
    check(wrong_in("x", "    make run      # fine\n    make rum\n") == ["x:2: make has no target rum"],
          "a wrong line of a block was not found, or a right one was refused")


def document_test(name):
    def named_things_exist(folder):
        text = read(name)
        found = sum(1 for _ in pieces(text))
        check(found >= 10, "only %d pieces of code were found in %s" % (found, name))
        wrong = wrong_in(name, text)
        check(not wrong, "\n".join(wrong))
    named_things_exist.__doc__ = "everything that %s names exists" % name
    return named_things_exist


def example_engine_is_accepted(folder):
    """the engine file that README shows is one that bench takes, and one with a wrong key is not"""
    block = re.search(r"((?:^    .*\n)*^    name: my-service\n(?:^    .*\n)*)", read("README.md"), re.M)
    check(block, "README shows no engine file")
    text = re.sub(r"^    ", "", block.group(1), flags=re.M)
    for expected, content in ((0, text), (2, text.replace("command:", "comand:"))):
        engine = write(os.path.join(folder, "engine.yaml"), content)
        done = bench("plan", "--model", "hrnet", "--input", "64x64", "--batches", "1", "--engine", engine,
                     "--out", os.path.join(folder, "out"), cwd=folder)
        check(done.returncode == expected, "exit %d, not %d: %s" % (done.returncode, expected, done.stderr))


def not_in_help(makefile, help_text):
    listed = set(re.findall(r"^([a-z-]+)\t", help_text, re.M))
    return sorted(phony_targets(makefile) - INNER_TARGETS - listed), sorted(INNER_TARGETS & listed)


def help_lists_every_target(folder):
    """make help lists every target that is meant for people, and none of the inner ones"""
    text = subprocess.run(["make", "-s", "help"], cwd=ROOT, stdout=subprocess.PIPE, universal_newlines=True,
                          timeout=60).stdout
    makefile = read("Makefile")
    missing, surplus = not_in_help(makefile, text)
    check(not missing and not surplus, "missing: %s; inner ones listed: %s" % (missing, surplus))
    check(INNER_TARGETS <= phony_targets(), "the list of inner targets names one that is gone")
    check(not_in_help(makefile + "\n.PHONY: polish\n", text)[0] == ["polish"],
          "a target without a line was not missed")


TESTS = [wrong_twins_are_refused] + [document_test(name) for name in DOCUMENTS] + \
    [example_engine_is_accepted, help_lists_every_target]

if __name__ == "__main__":
    sys.exit(run_tests(TESTS))
