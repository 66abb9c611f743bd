/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tokens and their key set, made by python3-jwt: one by each algorithm, good at VECTOR_NOW_S for
 * ten minutes. The private keys were thrown away.
 */
#pragma once

#define VECTOR_NOW_S    1700000000LL
#define VECTOR_ISSUER   "https://idp.example.com"
#define VECTOR_AUDIENCE "riskhookd"
#define VECTOR_SCOPE    "riskos.events"

static const char vector_keys[] =
	"{\"keys\":[{\"kty\":\"RSA\",\"n\":\"iNGLX4900oBmlkYTi2bT4KDf7LE2D8Oq4DBx_Ec8TjFP"
	"FH1IWq9Nsau7P4SduSIrH8lwJoDE9yZ0YbrBcnmdzQZxuybDyfLNvd7cnqKTFNzlFviIL5azAgz8qIrw"
	"q7Q4N1hN8uWHvvToMvmJ-GXpmwdXTQdGB1gwm1o2rPCJlwPdrnrJ7ZUMub8Ocm1oDfvCWp5dCd-kwJ15"
	"oWhgcimDkG0oJR-aMdvn5aywKYm4D9BYD4S8H6ENuNBs4etcBaTc36c7GwcyyTV9QLCiuGS5NUlVf-W0"
	"fTwXVXRVRvrqrHiGehzya0wvYClE7feg56_0wJSQSmdxYyqqEWLxkyMaHw\",\"e\":\"AQAB\",\"ki"
	"d\":\"key-RS256\",\"use\":\"sig\"},{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"S10"
	"yVxA3Uy_R5g37WApRp_1rEBJ-ZcLkII_pUKzxIAk\",\"y\":\"p6DyOq-Jc7PANFd0Xa-9dGgy0bGeg"
	"T5fGOKR39Lk1NE\",\"kid\":\"key-ES256\",\"use\":\"sig\"},{\"kty\":\"EC\",\"crv\":"
	"\"P-384\",\"x\":\"Q7r64WYFrIACyvyE2FCI5_fSkHPZM2Ocb0PTvWc9xO5jJd86XAaK01s9QQgO79"
	"Hj\",\"y\":\"hSp_ULBoXz_YDQ7Je3a_YK43IWnbunsQVEp2970R471aNMwHOMsWEWBFUnKSyIDR\","
	"\"kid\":\"key-ES384\",\"use\":\"sig\"},{\"kty\":\"EC\",\"crv\":\"P-521\",\"x\":"
	"\"ARau13oiNgJN--Z_iYVpfzBA_7ayI8kZxbdD7ULCRftNXeYOrm941yBPCbJPaJWLg6sOziWQf0H4Us"
	"xw3-NW6FwL\",\"y\":\"AShj4zxY6MXc3A7YPzzaqYXYcR_fSt-jHuskcyFUuNIDJAfsDPRFjGChTrE"
	"8DiEpbRoMv3KwLL4f-aTcKzo_4J3s\",\"kid\":\"key-ES512\",\"use\":\"sig\"}]}";

static const struct {
	const char *algorithm, *token;
} vectors[] = {
	{"RS256", "eyJhbGciOiJSUzI1NiIsImtpZCI6ImtleS1SUzI1NiIsInR5cCI6ImF0K2p3dCJ9.eyJpc3MiOiJodHR"
		  "wczovL2lkcC5leGFtcGxlLmNvbSIsImF1ZCI6InJpc2tob29rZCIsInN1YiI6InJpc2tvcyIsImlhdCI"
		  "6MTcwMDAwMDAwMCwiZXhwIjoxNzAwMDAwNjAwLCJzY29wZSI6InJpc2tvcy5ldmVudHMgb3RoZXIifQ."
		  "WpawUNBWwbndS3WibVLSONjTGmfLrzPg1p6JTUV6IT_dZyQ6wloISfgorQpv9QOFtSgZ0p2Vyt-oT_DX"
		  "7MyK48wBZQ5yrPKMEY8DP1t3IBqE28dJhGFnuV76JMRgq5PGiUT3--fyf2-8dm58BRW64c0-6RD3PUUb"
		  "S4cxwspBcTUzT24zKD-8rzPxOwRdufhKsQMImVkQsVQmhndvWjoy8drLk0Ob32CfzvEYYR2s13hePni0"
		  "wL-U4byhDT0alTVwv-SQFXnYX8JCE3WJDaM-3mpg9kOvByduILrqsHxoRsy3AP2Zg44WWuEuHooYUAAP"
		  "5Csk7LONCXjRg2q4f8jbIQ"},
	{"RS384", "eyJhbGciOiJSUzM4NCIsImtpZCI6ImtleS1SUzI1NiIsInR5cCI6ImF0K2p3dCJ9.eyJpc3MiOiJodHR"
		  "wczovL2lkcC5leGFtcGxlLmNvbSIsImF1ZCI6InJpc2tob29rZCIsInN1YiI6InJpc2tvcyIsImlhdCI"
		  "6MTcwMDAwMDAwMCwiZXhwIjoxNzAwMDAwNjAwLCJzY29wZSI6InJpc2tvcy5ldmVudHMgb3RoZXIifQ."
		  "AaNKEtS0ELkWiUjW77R7wI91gHvDbcr0Sd6r786afe2q3wAil2v8JYQLvubxKps0FCMn7do3Tc-hVU-7"
		  "O28861LPQdwbzh2K82GREm48XhWE__IXraA5GPH6tk5Sb1Qh7IfiGTZGkitsc7Prr8Ad2VUgnj5q9Vk_"
		  "gR8ux0g12HaO6r7zVrHtWMF57DVfxhSJeIMKn4f6QGi6w_M3eNdu_fF-x3hKx64pkmZzlp7fraWZYwRy"
		  "lthFIK6LFHT7iw49LwAlFYW-VsyLyBzs26E_HwBKlcbnzkKHpEpM-luaH50HygviLDtKwu2HGTGcznZl"
		  "tvrbh1xsXPnoP9NgxYdmHg"},
	{"RS512", "eyJhbGciOiJSUzUxMiIsImtpZCI6ImtleS1SUzI1NiIsInR5cCI6ImF0K2p3dCJ9.eyJpc3MiOiJodHR"
		  "wczovL2lkcC5leGFtcGxlLmNvbSIsImF1ZCI6InJpc2tob29rZCIsInN1YiI6InJpc2tvcyIsImlhdCI"
		  "6MTcwMDAwMDAwMCwiZXhwIjoxNzAwMDAwNjAwLCJzY29wZSI6InJpc2tvcy5ldmVudHMgb3RoZXIifQ."
		  "XDw9cCy82cebxERmw8sir-GyLyKoOLFTfYGWdEaiw28tT3sXEjFGGziIeCqekBvhaKnvF9_YZeWbxRVs"
		  "X6eCWUf65ZRbYYzMaJn8dyeFHSKhNZVqF1k7IWNtHcH26W-4Fh0UEi76gvTjsqPuAFOKHnalE3m5ZR5M"
		  "cWmXTb-c11blBGJ-rM-53BI1t_6KIG3XWP_eJOnUveVcpdQNNDYF6GRRx5S6qRzrscGEqgUSw1TwPVgK"
		  "1F5to001ilVWOyqrL2LnNjSCtsfX3wkuX_DOjeyS52-b7GWPoqws263w8D1ZHFgAD2Lm8MnrC7Dl1l1u"
		  "BczA0B01RWj3laXapAx-uA"},
	{"PS256", "eyJhbGciOiJQUzI1NiIsImtpZCI6ImtleS1SUzI1NiIsInR5cCI6ImF0K2p3dCJ9.eyJpc3MiOiJodHR"
		  "wczovL2lkcC5leGFtcGxlLmNvbSIsImF1ZCI6InJpc2tob29rZCIsInN1YiI6InJpc2tvcyIsImlhdCI"
		  "6MTcwMDAwMDAwMCwiZXhwIjoxNzAwMDAwNjAwLCJzY29wZSI6InJpc2tvcy5ldmVudHMgb3RoZXIifQ."
		  "gxXE-rfvKMQvRA1ciOLUpTA0iS_q638sMjiO62s86GXW5Y6eMqjLqsb1-7bnOpyLopq9HoL74xPWu9z3"
		  "K7cSB5Xm_wsCd3YALodt_AGvsHBWWRZn-EGUh0FYOKmQ3ogyh4krAxjr9IGxcQ_JbACbWxT4nSelDqxV"
		  "yIUlpRxEpoUwgzq7l1kisUT1VMDXFGC4cfbT4Ni3g863t1t1yiU3ZsR_aCuY5mQXx9c8y7vMETHFyS2U"
		  "3M0FcvOapjoMCAgPSjwsW3mWYPn6W8SmoxNaQ4axW1J_C3dYu9JXiDvOE7vwA8vmzEqmp2XGYK9LP0ua"
		  "vj_14m9R7fVwb2IrvoVc5Q"},
	{"PS384", "eyJhbGciOiJQUzM4NCIsImtpZCI6ImtleS1SUzI1NiIsInR5cCI6ImF0K2p3dCJ9.eyJpc3MiOiJodHR"
		  "wczovL2lkcC5leGFtcGxlLmNvbSIsImF1ZCI6InJpc2tob29rZCIsInN1YiI6InJpc2tvcyIsImlhdCI"
		  "6MTcwMDAwMDAwMCwiZXhwIjoxNzAwMDAwNjAwLCJzY29wZSI6InJpc2tvcy5ldmVudHMgb3RoZXIifQ."
		  "KPNcFvIo_5dARbCkLlR26EfaeRlW_Toy3F4F_-hE9Ku8fKjGbHz_dr9vJvQrdUsCDXXaWlD5jM-nt2TB"
		  "Qcp0MfaRHmMNGGwB_zEB-2ZWsrLGBtzLToOxp9VSTSPVcO7HveBMuqz6ZzTAgbH2PMsTljMfiEEJc65t"
		  "FXX42mlHKt284ujxk9A4o19QjdLi_x5Ly2dfMX_Fwd3DQU3rWsFSubzw4hlrtSJsn-HnwbHrMbIZxGkm"
		  "gsf5S82_JlT7ImZjPPz1MRNodN8uJt3wWnnVyrUNmGHDLFkAWfZ2SVlgTkXYJIZaZkUUYjWyDYocSsbU"
		  "veC96J0zx1ROJ-dXdm0TTA"},
	{"PS512", "eyJhbGciOiJQUzUxMiIsImtpZCI6ImtleS1SUzI1NiIsInR5cCI6ImF0K2p3dCJ9.eyJpc3MiOiJodHR"
		  "wczovL2lkcC5leGFtcGxlLmNvbSIsImF1ZCI6InJpc2tob29rZCIsInN1YiI6InJpc2tvcyIsImlhdCI"
		  "6MTcwMDAwMDAwMCwiZXhwIjoxNzAwMDAwNjAwLCJzY29wZSI6InJpc2tvcy5ldmVudHMgb3RoZXIifQ."
		  "YRZUkkLtLsGAAlXfHmhbE-Dg1e3rXF43OiRzzQ2ygAwioQ2_J_WAdNviNbLUeiu6PdcAuPtrhcdmXSqq"
		  "ivzR6AL0LKgrC8nq_MkG-mpgK3R0SpMoBsaWM_pFsje6BYwiiFhU1jwdMQcjWUrkQjKgl0a_X245uyIS"
		  "BAfNr1kwx_gxMB3SgP_2x69HT-6WXYb41UZyDoMF576swOSXqA5xxhtPguV_AS4kH28BpgmRua1pwUXG"
		  "yb6dFhvzyv2jSNCvuQt48ky9TUBoiOd4c6Wlc1XSX3UZz5AyT36hDlaMyZsniyzkdMm9s86jfJnWVNXk"
		  "dbP7KhPJ34fOrGxUxEaDSg"},
	{"ES256", "eyJhbGciOiJFUzI1NiIsImtpZCI6ImtleS1FUzI1NiIsInR5cCI6ImF0K2p3dCJ9.eyJpc3MiOiJodHR"
		  "wczovL2lkcC5leGFtcGxlLmNvbSIsImF1ZCI6InJpc2tob29rZCIsInN1YiI6InJpc2tvcyIsImlhdCI"
		  "6MTcwMDAwMDAwMCwiZXhwIjoxNzAwMDAwNjAwLCJzY29wZSI6InJpc2tvcy5ldmVudHMgb3RoZXIifQ."
		  "eOLn6G2ZEoI5hEtSI5CMStJT6vqpont4qux8UKAokzlUdCB1VVu4VMWnEXIxRncGRmcD4QbkeK63t9Bx"
		  "jt6X3g"},
	{"ES384", "eyJhbGciOiJFUzM4NCIsImtpZCI6ImtleS1FUzM4NCIsInR5cCI6ImF0K2p3dCJ9.eyJpc3MiOiJodHR"
		  "wczovL2lkcC5leGFtcGxlLmNvbSIsImF1ZCI6InJpc2tob29rZCIsInN1YiI6InJpc2tvcyIsImlhdCI"
		  "6MTcwMDAwMDAwMCwiZXhwIjoxNzAwMDAwNjAwLCJzY29wZSI6InJpc2tvcy5ldmVudHMgb3RoZXIifQ."
		  "HtcpiNe3xt4p7RPB5MjMnJeddtnoXf8543CEEtWIiqbRzjANQNbM866DuxyTGc4hfjxJl5eGK0oTHhRr"
		  "KUD6_BJy9uZv8Bs0CEfqH55pVPBLhEfO293Eg13dcGsCtb5e"},
	{"ES512", "eyJhbGciOiJFUzUxMiIsImtpZCI6ImtleS1FUzUxMiIsInR5cCI6ImF0K2p3dCJ9.eyJpc3MiOiJodHR"
		  "wczovL2lkcC5leGFtcGxlLmNvbSIsImF1ZCI6InJpc2tob29rZCIsInN1YiI6InJpc2tvcyIsImlhdCI"
		  "6MTcwMDAwMDAwMCwiZXhwIjoxNzAwMDAwNjAwLCJzY29wZSI6InJpc2tvcy5ldmVudHMgb3RoZXIifQ."
		  "AVY5eL7zJ_2moKq0l-oHnPjuQZ8Y225n3tvSAo9HQAOhmCr5cuoz20b1mvKx0-kmNPRcTE6wpLlDpDLg"
		  "qz1-zQ8sAFzJLyK-_TM46i-VIsJsbo-frpAX5ZbMGfHNm8fWitdGkGDTHOYG7E_sMwaCBXiox0t3dEaq"
		  "mQaPUfjgP8qdgrC5"},
};

static const char vector_without_kid[] =
	"eyJhbGciOiJFUzI1NiIsInR5cCI6ImF0K2p3dCJ9.eyJpc3MiOiJodHRwczovL2lkcC5leGFtcGxlLmN"
	"vbSIsImF1ZCI6InJpc2tob29rZCIsInN1YiI6InJpc2tvcyIsImlhdCI6MTcwMDAwMDAwMCwiZXhwIjo"
	"xNzAwMDAwNjAwLCJzY29wZSI6InJpc2tvcy5ldmVudHMgb3RoZXIifQ.POPA1krhIyFGVziObUntzcZE"
	"cmFNUXaWEftLEXDQUpbie-qCDnERmr-VL2hIP-ptIS7Sf1rurXX36lDSYnsWRA";
