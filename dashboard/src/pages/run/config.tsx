/** All configs of a run, as a tree or a list, with what another run had. */
import type { JSX } from "preact";
import { useMemo, useState } from "preact/hooks";
import type { ConfigItem } from "../../api/api";
import { api } from "../../api/api";
import { count } from "../../lib/format";
import { natural } from "../../lib/metrics";
import type { Cell } from "../../lib/values";
import { toText } from "../../lib/values";
import { one, setParams } from "../../state/location";
import type { TabProps } from "../../state/run-page";
import { runVersion } from "../../state/run-page";
import { Icon } from "../../ui/parts/icons";
import { Fault, Seg, useAnswer } from "../../ui/parts/parts";
import { attempt, copy } from "../../ui/parts/say";

const PAGE = 5000;

interface Shown extends ConfigItem {
  /** What the baseline has in its place, where that is something else. */
  was: Cell | undefined;
}

interface Branch {
  name: string;
  path: string;
  items: Shown[];
  branches: Map<string, Branch>;
}

export function ConfigTab({ project: { name: project }, details: { id } }: TabProps): JSX.Element {
  const base = one("base");
  const text = one("keys");
  const kind = one("layout") === "list" ? "list" : "tree";
  const [isDiffOnly, setDiffOnly] = useState(false);
  const { data, error } = useAnswer(() => load(project, id, base), [project, id, base, runVersion.value]);
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  const items = useMemo(
    () =>
      (data ?? []).filter(
        (item) =>
          (!isDiffOnly || item.was !== undefined) &&
          words.every(
            (word) => item.path.toLowerCase().includes(word) || toText(item.value).toLowerCase().includes(word),
          ),
      ),
    [data, text, isDiffOnly],
  );
  if (error && !data) return <Fault text={error} />;
  const differing = (data ?? []).filter((item) => item.was !== undefined).length;
  return (
    <div class="page">
      <div class="pad" style={{ maxWidth: "1080px" }}>
        <div class="lrow" style={{ marginBottom: "12px" }}>
          <label class="q low" style={{ maxWidth: "320px" }}>
            <Icon name="search" isSmall />
            <input
              placeholder={`Filter ${count(data?.length ?? 0)} keys`}
              aria-label="Filter configs"
              value={text}
              onInput={(event) => setParams({ keys: event.currentTarget.value || null })}
            />
          </label>
          {base && (
            <button type="button" class="btn" aria-pressed={isDiffOnly} onClick={() => setDiffOnly(!isDiffOnly)}>
              Only the {count(differing)} that differ
            </button>
          )}
          <span class="sp" />
          <Seg
            label="Layout"
            value={kind}
            options={[
              ["tree", "Tree"],
              ["list", "List"],
            ]}
            onChange={(value) => setParams({ layout: value === "tree" ? null : value })}
          />
          <button type="button" class="btn" onClick={() => void attempt(() => copyJson(project, id, items))}>
            <Icon name="copy" isSmall />
            JSON
          </button>
        </div>
        {kind === "list" ? (
          <div class="card">
            <Items items={items} project={project} id={id} name={(item) => item.path} />
          </div>
        ) : (
          <Tree branch={treeOf(items)} project={project} id={id} isTop />
        )}
        {data && !items.length && <p class="dim">Nothing matches.</p>}
      </div>
    </div>
  );
}

/** The values whole, also those of which the page has the beginning only. */
async function copyJson(project: string, id: string, items: readonly ConfigItem[]): Promise<void> {
  const isCut = items.some((item) => item.cut);
  const whole = new Map((isCut ? await allOf(project, id, true) : items).map((item) => [item.path, item.value]));
  const content = Object.fromEntries(items.map(({ path, value }) => [path, whole.get(path) ?? value]));
  copy(JSON.stringify(content, null, 2), "Copied as JSON");
}

async function allOf(project: string, id: string, isFull: boolean): Promise<ConfigItem[]> {
  const items: ConfigItem[] = [];
  let cursor: string | null = null;
  do {
    const page: Awaited<ReturnType<typeof api.config>> = await api.config(project, id, {
      limit: PAGE,
      ...(cursor ? { cursor } : {}),
      ...(isFull ? { full: true } : {}),
    });
    items.push(...page.items);
    cursor = page.next;
  } while (cursor);
  return items;
}

async function load(project: string, id: string, base: string): Promise<Shown[]> {
  const items = await allOf(project, id, false);
  const was = new Map<string, Cell>();
  if (base && base !== id) {
    const diff = await api.diff(project, [base, id], base);
    diff.paths.forEach((path, i) => was.set(path, diff.values[base]?.[i] ?? null));
    const own = new Set(items.map((item) => item.path));
    for (const path of was.keys())
      if (!own.has(path)) items.push({ path, type: "missing", value: null, updated: null });
  }
  items.sort((a, b) => natural(a.path, b.path));
  return items.map((item) => ({ ...item, was: was.has(item.path) ? was.get(item.path)! : undefined }));
}

function treeOf(items: readonly Shown[]): Branch {
  const root: Branch = { name: "", path: "", items: [], branches: new Map() };
  for (const item of items) {
    const names = item.path.split("/");
    let branch = root;
    for (const name of names.slice(0, -1)) {
      let next = branch.branches.get(name);
      if (!next) {
        next = { name, path: `${branch.path}${name}/`, items: [], branches: new Map() };
        branch.branches.set(name, next);
      }
      branch = next;
    }
    branch.items.push(item);
  }
  return root;
}

const size = (branch: Branch): number =>
  branch.items.length + [...branch.branches.values()].reduce((sum, one) => sum + size(one), 0);

function Tree({
  branch,
  project,
  id,
  isTop,
}: {
  branch: Branch;
  project: string;
  id: string;
  isTop?: boolean;
}): JSX.Element {
  return (
    <div class="stack">
      {branch.items.length > 0 && (
        <div class="card">
          <Items items={branch.items} project={project} id={id} name={(item) => item.path.slice(branch.path.length)} />
        </div>
      )}
      {[...branch.branches.values()].map((one) => (
        <details
          key={one.path}
          open={!/^(monitoring|source_code)\//.test(one.path)}
          style={{ paddingLeft: isTop ? 0 : "16px" }}
        >
          <summary>
            <b>{one.name}</b> <span class="dim">{count(size(one))}</span>
          </summary>
          <Tree branch={one} project={project} id={id} />
        </details>
      ))}
    </div>
  );
}

function Items({
  items,
  project,
  id,
  name,
}: {
  items: readonly Shown[];
  project: string;
  id: string;
  name: (item: Shown) => string;
}): JSX.Element {
  return (
    <dl class="kv">
      {items.flatMap((item) => {
        const look = item.was === undefined ? "" : "df";
        return [
          <dt key={item.path} class={look} title={item.path}>
            {name(item)} <span class="dim">{item.type}</span>
          </dt>,
          <dd key={`${item.path}=`} class={look}>
            <Value item={item} project={project} id={id} />
            {item.was !== undefined && <span class="was">was {item.was === null ? "missing" : toText(item.was)}</span>}
          </dd>,
        ];
      })}
    </dl>
  );
}

const LONG = 2000;

/** A value; a long one is shown in part, and in full when asked for. */
function Value({ item, project, id }: { item: Shown; project: string; id: string }): JSX.Element {
  const [whole, setWhole] = useState<string | null>(null);
  const text = whole ?? toText(item.value);
  const isShort = whole !== null || (!item.cut && text.length <= LONG);
  const open = async (): Promise<void> => {
    const { items } = await api.config(project, id, { prefix: item.path, full: true, limit: 1 });
    setWhole(toText(items[0]?.value));
  };
  return (
    <>
      {item.type === "missing" ? "missing" : isShort ? text : `${text.slice(0, LONG)}…`}
      {!isShort && (
        <button type="button" class="btn gh" onClick={() => void open()}>
          Show all
        </button>
      )}
    </>
  );
}
