/** The entry of the second script of the page: the texts of missions and votes, and the sheet. */

import { missions } from '../shared/missions.ts';
import { sheetOf, sheetPage, sheetText } from '../shared/sheet.ts';
import { votes } from '../shared/votes.ts';
import { handOver } from './mission-list.ts';

handOver({ missions, votes, sheets: { sheetOf, sheetPage, sheetText } });
