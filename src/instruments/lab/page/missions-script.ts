/** The entry of the second script of the page: the texts of missions and votes, the sheet, and Perfetto's format. */

import { missions } from '../shared/missions.ts';
import { perfettoOf } from '../shared/perfetto.ts';
import { sheetOf, sheetPage, sheetText } from '../shared/sheet.ts';
import { votes } from '../shared/votes.ts';
import { handOver } from './mission-list.ts';

handOver({ missions, votes, sheets: { sheetOf, sheetPage, sheetText }, perfettoOf });
