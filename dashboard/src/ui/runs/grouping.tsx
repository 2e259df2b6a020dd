/** Groups of runs: by which configs, and how their spread is drawn. */
import type { JSX } from "preact";
import { useState } from "preact/hooks";
import type { Attribute } from "../../api/api";
import { api } from "../../api/api";
import { natural } from "../../lib/metrics";
import { setParams } from "../../state/location";
import * as settings from "../../state/settings";
import { Icon } from "../parts/icons";
import { Item, Menu, Limit } from "../parts/menu";
import { Seg, useAnswer } from "../parts/parts";

const SPREADS = [
  ["std", "± std"],
  ["sem", "± sem"],
  ["minmax", "min–max"],
] as const;

/** Group the runs by up to four configs: a chart then shows means with a band. */
export function Grouping({ project }: { project: string }): JSX.Element {
  const chosen = settings.groupBy.value;
  return (
    <Menu
      label="Group runs"
      button={(toggle, isOpen) => (
        <button
          type="button"
          id="group"
          class={chosen.length ? "btn on" : "btn"}
          aria-expanded={isOpen}
          onClick={toggle}
        >
          <Icon name="group" isSmall />
          <span class="v">Group</span>
          {chosen.length ? chosen.map((path) => path.slice(path.lastIndexOf("/") + 1)).join(", ") : "none"}
        </button>
      )}
    >
      {() => <GroupChoice project={project} chosen={chosen} />}
    </Menu>
  );
}

const ASIDE = /^(source_code|monitoring|sys)\//;

/** What is another value in nearly every run, or the same in all, makes no groups; who searches for it gets it. */
const makesGroups = (item: Attribute): boolean =>
  !/^monitoring\/|^sys\/.*_time$/.test(item.path) && (item.n_distinct ?? 0) > 1 && (item.n_distinct ?? 0) <= 100;

function GroupChoice({ project, chosen }: { project: string; chosen: readonly string[] }): JSX.Element {
  const [text, setText] = useState("");
  const { data } = useAnswer(() => api.attributes(project, { kind: "config", q: text, limit: 200 }), [project, text]);
  const useful = (data?.items ?? []).filter(
    (item) => item.path !== "sys/state" && (text || chosen.includes(item.path) || makesGroups(item)),
  );
  useful.sort((a, b) => Number(ASIDE.test(a.path)) - Number(ASIDE.test(b.path)) || natural(a.path, b.path));
  return (
    <>
      <div class="pad">
        <input
          class="field"
          placeholder="A config"
          aria-label="Search configs"
          value={text}
          onInput={(event) => setText(event.currentTarget.value)}
        />
      </div>
      {chosen.length > 0 && (
        <>
          <div class="pad">
            <Seg
              label="Band of a group"
              value={settings.spread.value}
              options={SPREADS}
              onChange={(value) => setParams({ band: value === "std" ? null : value })}
            />
          </div>
          <Item icon="close" onClick={() => setParams({ g: null, band: null })}>
            No groups
          </Item>
          <div class="hd">Failed and crashed runs are left out of the means.</div>
        </>
      )}
      {[...(text && !"sys/state".includes(text) ? [] : ["sys/state"]), ...useful.map((item) => item.path)].map(
        (path) => (
          <Item
            key={path}
            isFound
            isChecked={chosen.includes(path)}
            right={useful.find((item) => item.path === path)?.n_distinct}
            onClick={() =>
              setParams({ g: chosen.includes(path) ? chosen.filter((p) => p !== path) : [...chosen, path].slice(-4) })
            }
          >
            {path}
          </Item>
        ),
      )}
      {data && <Limit shown={data.items.length} of={data.total} what="configs" />}
    </>
  );
}
